import { join } from "node:path";

/** Where `build.mjs` puts what it compiles; it fills this in. */
declare const BENCH_JS: string;

/** The compiled twin of a module of bench/: `compiled("hop/bullmq-process.mjs")`. */
export function compiled(path: string): string {
  return join(BENCH_JS, path);
}
