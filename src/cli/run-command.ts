import type { Env } from "../env/env.ts";
import { UsageError } from "../errors.ts";
import { MAX_INSTANCES } from "../run/check-instances.ts";
import type { GivenInput } from "../run/job-input.ts";
import { LocalRun } from "../run/local-run.ts";
import { streamsOf } from "../run/streams-url.ts";
import { dataOf } from "./data-flag.ts";
import { displayFor } from "./display/display-for.ts";
import type { RunDisplay } from "./display/run-display.ts";
import { styleFor } from "./display/style.ts";
import { EXIT } from "./exit-code.ts";
import { resultText, runResultText } from "./job-result.ts";
import { keepFreeOf } from "./keep-free.ts";
import { commandLine } from "./shell-text.ts";
import { summaryOf } from "./summary.ts";
import { print, printable, tell } from "./terminal.ts";
import { UserOutput } from "./user-output.ts";

export interface RunFlags {
  readonly param?: readonly string[];
  readonly data?: string;
  readonly streams?: string;
  readonly keepFree?: string;
  readonly instances?: readonly string[];
  readonly new?: boolean;
  readonly resume?: string;
  readonly json?: boolean;
  readonly input?: string;
  readonly quiet?: boolean;
}

/** `millrace run MODULE`: runs a pipeline of a module to its end; gives the exit code. */
export async function runCommand(
  env: Env,
  version: string,
  module: string,
  flags: RunFlags,
): Promise<number> {
  const params = paramsOf(flags.param ?? []);
  const instances = instancesOf(flags.instances ?? []);
  if (flags.new === true && flags.resume !== undefined) {
    throw new UsageError("MR_USAGE", "--new and --resume exclude each other");
  }
  const data = dataOf(flags.data);
  const streams = streamsOf(flags.streams ?? "file:");
  const keepFreeBytes = keepFreeOf(flags.keepFree);
  const isJson = flags.json === true;
  const isQuiet = flags.quiet === true;
  const display = await displayFor(env, { isQuiet, isJson });
  const interrupts = new Interrupts(display);
  const userOutput = new UserOutput(display);

  let started: LocalRun | undefined;
  const running = LocalRun.start({
    env,
    module,
    params,
    ...(flags.input !== undefined && { input: inputOf(flags.input) }),
    data,
    streams,
    ...(keepFreeBytes !== undefined && { keepFreeBytes }),
    instances,
    version,
    signal: interrupts.beforeStart,
    resume: flags.new === true ? "new" : flags.resume === undefined ? "auto" : { run: flags.resume },
    display: {
      onModuleOutput: (stream, line) => userOutput.line(stream, line),
      onDescribed: ({ kind }) => userOutput.settle(kind === "job"),
      onOutput: (_stage, stream, line) => userOutput.line(stream, line),
      onLog: (stage, level, message, fields) => {
        const rest =
          fields === undefined || Object.keys(fields).length === 0 ? "" : ` ${JSON.stringify(fields)}`;
        display.say(level, `${level} ${stage}: ${printable(message)}${printable(rest)}`);
      },
      onProgress: (stage, done, total) => display.progress(stage, done, total),
      onRestart: (stage, what) => display.say("warn", `warn ${stage}: ${printable(what)}; replaced`),
      onStarted: (run) => {
        const { manifest } = run;
        display.say(
          "info",
          `${manifest.pipeline} ${run.isResumed ? "resumes" : "runs"} (run ${manifest.run})`,
        );
      },
    },
  });
  try {
    started = await running;
    interrupts.attach(started);
    display.start(started.controller);
    const result = await started.result();
    display.stop();
    const summary = summaryOf(result, {
      pipeline: started.manifest.pipeline,
      data: streams.kind === "memory" ? undefined : data,
      command: commandLine(process.argv.slice(2)),
      width: process.stderr.isTTY ? process.stderr.columns || 80 : Number.POSITIVE_INFINITY,
      style: styleFor(process.stderr, process.env),
    });
    for (const line of isQuiet ? summary.errors : summary.lines) tell(line);
    if (isJson) await print(runResultText(result));
    else if (result.status === "completed") await print(resultText(result.result));
    if (result.status === "failed") return EXIT.failed;
    if (result.status === "stopped") return interrupts.exitCode ?? EXIT.interrupted;
    return result.deadLetters > 0 ? EXIT.partly : EXIT.done;
  } catch (error) {
    if (
      started === undefined &&
      interrupts.exitCode !== undefined &&
      error === interrupts.beforeStart.reason
    ) {
      return interrupts.exitCode;
    }
    throw error;
  } finally {
    userOutput.settle(false);
    display.stop();
    interrupts.detach();
  }
}

/** Signals closer together than this are one. */
const ONE_SIGNAL_MS = 5;

const STOPPING = "stopping: draining, what is in hand is finished… Ctrl-C again to stop at once";

/** Ctrl-C drains, a second one stops at once. */
class Interrupts {
  exitCode: number | undefined;
  #run: LocalRun | undefined;
  #count = 0;
  #lastAt = Number.NEGATIVE_INFINITY;
  readonly #display: RunDisplay;
  readonly #abort = new AbortController();
  readonly #onInt = (): void => this.#interrupt(EXIT.interrupted);
  readonly #onTerm = (): void => this.#interrupt(EXIT.terminated);

  constructor(display: RunDisplay) {
    this.#display = display;
    process.on("SIGINT", this.#onInt);
    process.on("SIGTERM", this.#onTerm);
  }

  /** Aborts on an interrupt that comes before there is a run. */
  get beforeStart(): AbortSignal {
    return this.#abort.signal;
  }

  attach(run: LocalRun): void {
    this.#run = run;
    if (this.#count > 0) void run.stop(this.#count > 1);
  }

  detach(): void {
    process.off("SIGINT", this.#onInt);
    process.off("SIGTERM", this.#onTerm);
  }

  #interrupt(exitCode: number): void {
    const now = performance.now();
    // timeout(1) and some service managers send a signal to the process and again to its group: that is one.
    if (now - this.#lastAt < ONE_SIGNAL_MS) return;
    this.#lastAt = now;
    this.exitCode = exitCode;
    this.#count++;
    if (this.#count <= 2) this.#display.say("warn", this.#count === 1 ? STOPPING : "stopping at once");
    void this.#run?.stop(this.#count > 1);
    if (this.#run === undefined) this.#abort.abort();
    // Nothing has been started yet that would need to be drained.
    if (this.#run === undefined && this.#count > 1) process.exit(exitCode);
  }
}

function inputOf(given: string): GivenInput {
  if (given !== "-") return { kind: "file", path: given };
  return { kind: "text", pieces: process.stdin };
}

function paramsOf(given: readonly string[]): Record<string, unknown> {
  const params: Record<string, unknown> = {};
  for (const text of given) {
    const match = /^([^:=]+)(:?=)(.*)$/s.exec(text);
    if (match === null)
      throw new UsageError("MR_USAGE", `--param ${JSON.stringify(text)}: write name=text or name:=JSON`);
    const [, name = "", operator, value = ""] = match;
    // n.b. an assignment to this one makes no key: it would go by unseen.
    if (name === "__proto__") throw new UsageError("MR_USAGE", "--param __proto__: no param is called that");
    if (Object.hasOwn(params, name)) throw new UsageError("MR_USAGE", `--param ${name}: it is given twice`);
    if (operator === "=") params[name] = value;
    else {
      try {
        params[name] = JSON.parse(value);
      } catch (error) {
        throw new UsageError(
          "MR_USAGE",
          `--param ${name}: ${JSON.stringify(value)} is not JSON (name=text takes it as text)`,
          {
            cause: error,
          },
        );
      }
    }
  }
  return params;
}

function instancesOf(given: readonly string[]): Map<string, number> {
  const instances = new Map<string, number>();
  for (const text of given) {
    const match = /^([^=]+)=(\d{1,4})$/.exec(text);
    const count = Number(match?.[2]);
    if (match === null || !(count >= 1 && count <= MAX_INSTANCES)) {
      throw new UsageError(
        "MR_USAGE",
        `instances ${JSON.stringify(text)}: write stage=number, with a number from 1 to ${MAX_INSTANCES}`,
      );
    }
    instances.set(match[1] as string, count);
  }
  return instances;
}
