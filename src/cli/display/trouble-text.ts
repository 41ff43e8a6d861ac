import { duration, printable } from "../terminal.ts";

/** What holds a run up, and for how long: "RabbitMQ at 127.0.0.1:5672 is away: ECONNREFUSED, for 12 s". */
export function troubleText({ what, forMs }: { readonly what: string; readonly forMs: number }): string {
  const whole = Math.round(forMs / 1_000) * 1_000;
  return `${printable(what)}, for ${whole < 60_000 ? `${whole / 1_000} s` : duration(whole)}`;
}
