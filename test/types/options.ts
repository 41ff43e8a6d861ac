// The option types that users write against name the same options as the tables that read them.
import type { BatchStageOptions, PipelineOptions, SourceOptions, StageOptions } from "../../src/index.ts";
import { type Equal, expectType } from "./equal.ts";

export function optionNames(): void {
  expectType<Equal<keyof StageOptions, keyof BatchStageOptions>>();
  expectType<
    Equal<
      keyof StageOptions,
      | "batch"
      | "concurrency"
      | "instances"
      | "retry"
      | "timeoutMs"
      | "graceMs"
      | "resources"
      | "engine"
      | "dedupe"
      | "rate"
      | "capacity"
      | "breaker"
      | "orderBy"
      | "partitions"
      | "onKeyFailure"
      | "priority"
      | "schema"
      | "onFailed"
    >
  >();
  expectType<Equal<keyof SourceOptions, "instances" | "retry" | "resources" | "engine" | "capacity">>();
  expectType<Equal<keyof PipelineOptions, "params" | "module" | "durability">>();
}
