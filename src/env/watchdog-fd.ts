/** File descriptor of a spawned process on which its watchdog thread writes. */
export const WATCHDOG_FD = 4;
