import type { Pacer } from "./pacing/pacer.ts";
import type { StreamReport } from "./protocol.ts";
import type { PushInputs } from "./push-inputs.ts";
import type { Stages } from "./stages.ts";

/** The streams as they are now. */
export function streamReports(stages: Stages, inputs: PushInputs, { breakers }: Pacer): StreamReport[] {
  return stages.report().map((report) => ({
    ...report,
    ...(inputs.isClosed(report.name) && { closed: true as const }),
    ...(breakers.isOpen(report.name) && { breaker: "open" as const }),
  }));
}
