import { join } from "node:path";
import type { RunResult } from "../definition/run-result.ts";
import { hasStream, type PipelineShape } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { RunError } from "../errors.ts";
import type { InputIdentity } from "./job-input.ts";
import type { Streams } from "./streams-url.ts";

/** What is known of a run beside its streams; `<data>/<pipeline>/<run>/run.json`. */
export interface RunManifest {
  readonly format: 1;
  readonly run: string;
  readonly pipeline: string;
  readonly status: "running" | "completed" | "stopped" | "failed";
  /** As the schema gave them. */
  readonly params: unknown;
  /** As the user gave them; absent in runs of older versions. */
  readonly given?: Readonly<Record<string, unknown>>;
  /** Jobs that were given one. */
  readonly input?: InputIdentity;
  readonly shape: PipelineShape;
  readonly module: string;
  readonly exportName: string;
  readonly bundle: string;
  /** The broker that holds its items, without user and password; absent: files beside this one. */
  readonly streams?: string;
  readonly createdAt: number;
  readonly endedAt?: number;
  /** Of a run that has ended; absent in runs of older versions. */
  readonly stages?: RunResult["stages"];
}

/** The runs of one data directory. */
export class RunStore {
  readonly directory: string;
  readonly #env: Env;

  constructor(env: Env, directory: string) {
    this.#env = env;
    this.directory = directory;
  }

  /** Where users' modules lie as instances import them. */
  get bundles(): string {
    return join(this.directory, "bundles");
  }

  directoryOf(pipeline: string, run: string): string {
    return join(this.directory, pipeline, run);
  }

  lockOf(pipeline: string, run: string): string {
    return join(this.directoryOf(pipeline, run), "lock");
  }

  /** Names that sort by time, and do not collide. */
  newName(): string {
    const stamp = new Date(this.#env.clock.now())
      .toISOString()
      .replace(/[-:]/g, "")
      .replace("T", "-")
      .slice(0, 15);
    return `${stamp}-${this.#env.random.bytes(3).toString("hex")}`;
  }

  async write(manifest: RunManifest): Promise<void> {
    const directory = this.directoryOf(manifest.pipeline, manifest.run);
    await this.#env.disk.makeDirectory(directory);
    await this.#env.disk.replaceFile(
      join(directory, "run.json"),
      `${JSON.stringify(manifest, undefined, 2)}\n`,
    );
  }

  async read(pipeline: string, run: string): Promise<RunManifest | undefined> {
    try {
      const text = await this.#env.disk.readFile(join(this.directoryOf(pipeline, run), "run.json"));
      return JSON.parse(text.toString("utf8")) as RunManifest;
    } catch {
      return undefined;
    }
  }

  /** The runs of a pipeline, newest first. */
  async list(pipeline: string): Promise<RunManifest[]> {
    const directory = join(this.directory, pipeline);
    if ((await this.#env.disk.info(directory))?.isDirectory !== true) return [];
    const manifests: RunManifest[] = [];
    for (const name of await this.#env.disk.list(directory)) {
      const manifest = await this.read(pipeline, name);
      if (manifest !== undefined) manifests.push(manifest);
    }
    return manifests.sort((a, b) => b.createdAt - a.createdAt || (a.run < b.run ? 1 : -1));
  }
}

export type Resume = "auto" | "new" | { readonly run: string };

/**
 * The unfinished run to go on with, or undefined to begin a new one.
 *
 * Throws RunError MR_RUN_UNKNOWN for a run that is not there, MR_RUN_CONFLICT when the unfinished run has other
 * params or stages that the pipeline lost.
 */
export function chooseRun(
  runs: readonly RunManifest[],
  wanted: {
    readonly shape: PipelineShape;
    readonly params: unknown;
    readonly input?: InputIdentity;
    readonly resume: Resume;
    readonly streams: Streams;
  },
): RunManifest | undefined {
  const { resume, shape, params, input } = wanted;
  const hasInput = (manifest: RunManifest): boolean => canonical(manifest.input) === canonical(input);
  if (resume === "new") return undefined;
  if (typeof resume === "object") {
    const named = runs.find((manifest) => manifest.run === resume.run);
    if (named === undefined) {
      throw new RunError(
        "MR_RUN_UNKNOWN",
        `pipeline ${shape.name}: there is no run ${JSON.stringify(resume.run)} here`,
      );
    }
    checkStages(named, shape);
    checkStreams(named, wanted.streams, true);
    // n.b. without one it goes on with its own.
    if (input !== undefined && !hasInput(named)) throw otherInput(named);
    return named;
  }
  const unfinished = runs.filter((manifest) => manifest.status !== "completed");
  const alike = unfinished.filter((manifest) => canonical(manifest.params) === canonical(params));
  const same = alike.find(hasInput);
  if (same === undefined && alike[0] !== undefined) throw otherInput(alike[0]);
  if (same !== undefined) {
    checkStages(same, shape);
    checkStreams(same, wanted.streams, false);
    return same;
  }
  const [other] = unfinished;
  if (other === undefined) return undefined;
  throw new RunError(
    "MR_RUN_CONFLICT",
    `pipeline ${shape.name}: run ${other.run} is unfinished and has other params (${canonical(other.params)}); use --resume ${other.run} to go on with it, or --new to begin another`,
  );
}

function otherInput({ pipeline, run, input }: RunManifest): RunError {
  const what =
    input === undefined ? "no input" : input.kind === "file" ? input.path : `an input of ${input.size} bytes`;
  return new RunError(
    "MR_RUN_CONFLICT",
    `job ${pipeline}: run ${run} is unfinished and was begun with another input (${what}); use --resume ${run} without an input to go on with it, or --new to begin another`,
  );
}

/** Items may wait in any stage of the old shape: each must still be there to work on them. */
export function checkStages(manifest: RunManifest, shape: PipelineShape): void {
  const known = new Map(shape.nodes.map((node) => [node.name, node]));
  const lost = manifest.shape.nodes.filter((node) => {
    const now = known.get(node.name);
    if (!hasStream(node)) return now !== undefined && hasStream(now);
    return now === undefined || !hasStream(now) || (now.kind === "source") !== (node.kind === "source");
  });
  if (lost.length === 0) return;
  throw new RunError(
    "MR_RUN_CONFLICT",
    `pipeline ${shape.name}: run ${manifest.run} is unfinished and has stages that the pipeline lost (${lost.map((node) => node.name).join(", ")}); bring them back, or use --new`,
  );
}

/** What waits lies where the run was begun. A broker that has moved is another one, unless the run is named. */
function checkStreams(manifest: RunManifest, streams: Streams, isNamed: boolean): void {
  const { pipeline, run } = manifest;
  const was = manifest.streams ?? "file:";
  const is = streams.kind === "file" ? "file:" : streams.kind === "memory" ? "memory:" : streams.address;
  const kindOf = (address: string): string => address.slice(0, address.indexOf(":")).replace(/s$/, "");
  if (is === was || (isNamed && kindOf(is) === kindOf(was))) return;
  const moved =
    kindOf(is) === kindOf(was) ? `; if the broker has moved, with all that was in it, --resume ${run}` : "";
  throw new RunError(
    "MR_RUN_CONFLICT",
    `pipeline ${pipeline}: run ${run} is unfinished, and its items lie in ${was}, not in ${is}; use --streams ${was} again to go on with it${moved}, or --new to begin another`,
  );
}

/** JSON with sorted keys: equal for equal values. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
