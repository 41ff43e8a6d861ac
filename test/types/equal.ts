/** True for identical types alone: `any`, `unknown` and unions that merely overlap are told apart. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles for `true` alone. */
export function expectType<_Holds extends true>(): void {}
