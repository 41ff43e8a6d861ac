/** What flows on, derived from what a user's function returns. */
import type { Many } from "./many.ts";

/** Values that stand for several outputs. */
type Sequence<T> = Many<T> | Generator<T> | AsyncGenerator<T>;

/** True for `any` alone, which would otherwise be taken for every kind of return value at once. */
type IsAny<T> = 0 extends 1 & T ? true : false;

/**
 * The items that a stage function returning `R` puts out: the value, or what its promise resolves to; every
 * element of {@link Many} or of a generator; nothing for `undefined`. A bare array is one item.
 */
export type Output<R> = IsAny<Awaited<R>> extends true ? Awaited<R> : Item<Awaited<R>>;

type Item<T> = T extends void ? never : T extends Sequence<infer E> ? E : T;

/** What a batch function may return: the list of its outputs, or nothing. */
export type BatchReturn = BatchList | PromiseLike<BatchList>;

// biome-ignore lint/suspicious/noConfusingVoidType: a function without a return statement returns void.
type BatchList = readonly unknown[] | Generator<unknown> | AsyncGenerator<unknown> | undefined | void;

/** The items that a batch function returning `R` puts out: the elements of its list. */
export type BatchOutput<R> = IsAny<Awaited<R>> extends true ? Awaited<R> : Elements<Awaited<R>>;

type Elements<T> = T extends readonly (infer E)[] ? E : T extends Sequence<infer E> ? E : never;

/** What a source function may return. Text is left out: its characters are never what was meant. */
export type SourceReturn = Feed | PromiseLike<Feed>;

type Feed = object & (Iterable<unknown> | AsyncIterable<unknown>);

/** The items that a source function returning `R` puts out. */
export type SourceOutput<R> = IsAny<Awaited<R>> extends true ? Awaited<R> : Fed<Awaited<R>>;

type Fed<T> = T extends Iterable<infer E> ? E : T extends AsyncIterable<infer E> ? E : never;
