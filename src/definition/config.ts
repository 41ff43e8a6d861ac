/**
 * What `millrace.config.ts` (its default export) or `millrace.config.json` may say. The file lies in the folder in
 * which `millrace` is typed. A flag wins over a `MILLRACE_*` variable, that over the file.
 */
export interface Config {
  /** Data directory, taken from the folder of the file; default `.millrace`. */
  readonly data?: string;
  /** Stream engine: `file:` (default), `memory:`, or a broker: `amqp(s)://`, `nats://`, `redis(s)://`. */
  readonly streams?: string;
  /** How much of the disk stays free: text like `"1GB"`; `"0"` keeps no watch. Default: 256 MB, or 5 % of the disk. */
  readonly keepFree?: string;
  /** Processes by stage. */
  readonly instances?: Readonly<Record<string, number>>;
}
