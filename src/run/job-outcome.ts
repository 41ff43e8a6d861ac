import type { FailedTask, RunResult } from "../definition/run-result.ts";
import type { PipelineShape } from "../definition/shape.ts";
import { JobFailedError, RunError } from "../errors.ts";
import { type GetRecord, readLargeRecord } from "../instance/large-record.ts";
import type { StoredTaskFailure } from "../instance/lost-tasks.ts";
import { recordKeys } from "../records/record-store.ts";
import { decodeStandalone } from "../wire/item-codec.ts";
import { unpackValue } from "../wire/packing.ts";

/** What a job's run has come to beside its counts, read from its records while its streams are still there. */
export async function jobOutcome(
  shape: PipelineShape,
  { status, errorCode }: { readonly status: RunResult["status"]; readonly errorCode: string | undefined },
  get: GetRecord,
): Promise<Pick<RunResult, "result" | "failedTask">> {
  if (shape.kind !== "job") return {};
  if (status === "completed") {
    const stored = await readLargeRecord(get, "combine", "result");
    return stored === undefined ? {} : { result: decodeStandalone(stored) };
  }
  if (errorCode !== "MR_JOB_FAILED") return {};
  const stored = await get(recordKeys.ofStage("process", "failure"));
  if (stored === undefined) return {};
  const { position, input, error } = unpackValue(stored) as StoredTaskFailure;
  const failedTask: FailedTask = {
    position,
    input: input === undefined ? undefined : decodeStandalone(input),
    error,
  };
  return { failedTask };
}

/** The result of a job that is completed. Throws JobFailedError when it has failed, RunError when it was stopped. */
export function outputOf({ status, run, result, error, failedTask }: RunResult): unknown {
  if (status === "completed") return result;
  if (status === "stopped") {
    throw new RunError(
      "MR_JOB_STOPPED",
      `run ${run}: the job was stopped before its end; run it again to go on`,
      {
        scope: "run",
      },
    );
  }
  throw new JobFailedError(
    (error?.code ?? "MR_INTERNAL") as JobFailedError["code"],
    error?.message ?? `run ${run}: the job has failed`,
    {
      run,
      ...(failedTask && { task: failedTask }),
      ...((failedTask?.error ?? error) && { error: failedTask?.error ?? error }),
    } as ConstructorParameters<typeof JobFailedError>[2],
  );
}
