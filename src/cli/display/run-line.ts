import { grouped } from "../terminal.ts";
import { elapsed, estimate, rate } from "./number-text.ts";
import { busiest, type RunView, type StageRow } from "./run-view.ts";

const SHOWN_STAGES = 12;

/** A run in one line, for where nothing can be repainted. */
export function runLine({ pipeline, status, elapsedMs, leftMs, tasks, stages }: RunView): string {
  const { shown, more } = busiest(stages, SHOWN_STAGES);
  const job =
    tasks === undefined
      ? []
      : [`tasks ${grouped(tasks.done)}${tasks.total === undefined ? "" : ` of ${grouped(tasks.total)}`}`];
  const parts = [
    ...job,
    ...shown.map(stageText),
    ...(more === 0 ? [] : [`… ${more} more`]),
    ...(leftMs === undefined ? [] : [`about ${estimate(leftMs)} left`]),
  ];
  return `${pipeline} ${status}, ${elapsed(elapsedMs)}: ${parts.join(" · ")}`;
}

function stageText({
  name,
  kind,
  out,
  in: accepted,
  waiting,
  perSecond,
  retried,
  dead,
  progress,
}: StageRow): string {
  const done = kind === "source" ? out : Math.max(0, (accepted ?? 0) - waiting);
  const share = progress === undefined ? "" : ` (${Math.floor((100 * progress.done) / progress.total)} %)`;
  return [
    `${name} ${grouped(done)}${share}`,
    ...(perSecond === undefined || perSecond === 0 ? [] : [`${rate(perSecond, false)}/s`]),
    ...(waiting === 0 ? [] : [`${grouped(waiting)} waiting`]),
    ...(retried === 0 ? [] : [`${grouped(retried)} retried`]),
    ...(dead === 0 ? [] : [`${grouped(dead)} dead`]),
  ].join(", ");
}
