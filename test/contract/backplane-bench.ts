import { expect } from "vitest";
import type { Backplane } from "../../src/backplane/contract.ts";
import { type ErrorCode, MillraceError } from "../../src/errors.ts";

/** A backplane server, or what stands for one, of which any number of clients can be had. */
export interface BackplaneUnderTest {
  connect(name: string, onError: (error: Error) => void): Promise<Backplane>;
  /** Ends the server and starts it anew on the same store; absent where nothing is stored. */
  restart?(): Promise<void>;
  close(): Promise<void>;
}

/** What each test of the contract gets: a server of its own and two clients. */
export interface BackplaneBench {
  readonly server: BackplaneUnderTest;
  readonly a: Backplane;
  readonly b: Backplane;
  /** What was reported to any client. */
  readonly errors: Error[];
  connect(name: string): Promise<Backplane>;
}

/** Declares a test, unless the implementation's skips name it. */
export type Check = (name: string, run: (bench: BackplaneBench) => Promise<void>) => void;

export async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("resolved, though it should have been rejected");
}

export async function expectCode(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  const error = await failure(promise);
  expect(error).toBeInstanceOf(MillraceError);
  expect((error as MillraceError).code).toBe(code);
}

export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error("the condition did not come true within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
