import {
  DataDirectoryError,
  DefinitionError,
  type ErrorCode,
  type ErrorInfo,
  errorInfo,
  errorOf,
  MillraceError,
  UsageError,
} from "../errors.ts";
import type { Description } from "./description.ts";

/** The classes that a child's errors may be of, most special first. */
const CLASSES = { DefinitionError, UsageError, DataDirectoryError, MillraceError };

/** What the describe child is asked. */
export interface DescribeOrder {
  /** Absolute path of the module. */
  readonly modulePath: string;
  /** The module as the user named it: for messages. */
  readonly shown: string;
  readonly exportName?: string;
  /** As given, not validated. */
  readonly params: Readonly<Record<string, unknown>>;
  /** Absolute. */
  readonly outDirectory: string;
}

/** What the child is doing: says what it was at when it dies or takes too long. */
export type DescribePhase = "start" | "compile" | "import" | "check";

/** What the child tells. The mark keeps messages apart that the user's own code may send. */
export type DescribeMessage = { readonly millrace: "describe" } & (
  | { readonly kind: "phase"; readonly phase: DescribePhase }
  | { readonly kind: "exit"; readonly place: string }
  | { readonly kind: "described"; readonly description: Description }
  | { readonly kind: "failed"; readonly error: ErrorMessage }
);

export interface ErrorMessage {
  readonly className: keyof typeof CLASSES;
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly cause?: ErrorInfo;
}

export function isDescribeMessage(message: unknown): message is DescribeMessage {
  return (
    typeof message === "object" &&
    message !== null &&
    (message as { millrace?: unknown }).millrace === "describe"
  );
}

/** Packs an error for the way to the parent. */
export function errorMessage(error: MillraceError): ErrorMessage {
  const { code, message, details, cause } = error;
  const names = Object.keys(CLASSES) as (keyof typeof CLASSES)[];
  const className = names.find((name) => error instanceof CLASSES[name]) ?? "MillraceError";
  const packed = { className, code, message, details } as const;
  return cause === undefined ? packed : { ...packed, cause: errorInfo(cause) };
}

/** The error that {@link errorMessage} packed; its cause comes back with name, message and stack. */
export function unpackError({ className, code, message, details, cause }: ErrorMessage): MillraceError {
  const options = cause === undefined ? { details } : { details, cause: errorOf(cause) };
  return new CLASSES[className](code, message, options);
}
