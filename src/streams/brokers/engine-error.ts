import { type ErrorCode, ensureError, StreamError } from "../../errors.ts";

/**
 * What can be wrong with a broker, in the same words whichever it is. `who` is the server or its address for people,
 * without a password: "RabbitMQ at 127.0.0.1:5672". Drivers throw these and nothing else on purpose.
 */
export const engineError = {
  /** Nobody answers: worth another attempt. */
  unreachable: (who: string, problem: unknown): StreamError =>
    engine("MR_ENGINE_UNREACHABLE", `${who}: it cannot be reached (${reasonOf(problem)})`, problem, true),

  /** It answers and says no, or we do not trust it: what a person must mend. */
  refused: (who: string, problem: unknown): StreamError =>
    engine("MR_ENGINE_REFUSED", `${who}: it refuses to work with us (${reasonOf(problem)})`, problem),

  tooOld: (who: string, needed: string): StreamError =>
    engine("MR_ENGINE_TOO_OLD", `${who}: it is too old; ${needed} is needed`),

  /** `install` is what is to be typed behind `npm install`. */
  clientMissing: (engineName: string, install: string, problem: unknown): StreamError =>
    engine(
      "MR_ENGINE_CLIENT_MISSING",
      `${engineName}: its client library is not installed; npm install ${install}`,
      problem,
    ),

  queueDiffers: (who: string, queue: string, how: unknown): StreamError =>
    engine(
      "MR_ENGINE_QUEUE_DIFFERS",
      `${who}: ${queue} exists already and is unlike what is asked for (${reasonOf(how)}); remove it, or ask for the same`,
      how,
    ),

  /** It refused a message for want of room. */
  full: (who: string, queue: string, problem: unknown): StreamError =>
    engine("MR_ENGINE_FULL", `${who}: ${queue} takes no more (${reasonOf(problem)})`, problem, true),
};

function engine(code: ErrorCode, message: string, problem?: unknown, retryable = false): StreamError {
  const cause = problem instanceof Error ? { cause: problem } : {};
  return new StreamError(code, message, { scope: "run", retryable, ...cause });
}

const LONGEST = 300;

/** The heart of what a client library threw, in one line: a code where the text does not have it. */
function reasonOf(problem: unknown): string {
  if (typeof problem === "string") return problem;
  const error = ensureError(problem);
  const inner = error instanceof AggregateError && error.message === "" ? error.errors[0] : undefined;
  if (inner !== undefined) return reasonOf(inner);
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const text = error.message.replace(/\s+/g, " ").trim().slice(0, LONGEST) || error.name;
  return code === undefined || text.includes(code) ? text : `${code}: ${text}`;
}
