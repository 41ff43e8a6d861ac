/** The nodes of a pipeline as users hold them: typed handles, joined with `.to`. */

/** Marks a node; a registered symbol, so that it is the same in every copy of the package. */
export const NODE: unique symbol = Symbol.for("millrace.node") as never;

/** Which pipeline a node belongs to, and (to the compiler alone) what items it takes. */
export interface Port<In> {
  readonly pipeline: { readonly name: string };
  readonly accepts?: ((item: In) => void) | undefined;
}

interface Node<Kind extends string, In> {
  readonly name: string;
  readonly kind: Kind;
  readonly [NODE]: Port<In>;
}

/** Whatever takes items of type `In`: a stage or a sink. */
export type Target<In> = Node<"stage" | "sink", In>;

export interface EdgeOptions<Out> {
  /** The edge takes an item only when this gives something truthy. Without it, it takes every item. */
  readonly when?: (item: Out) => unknown;
}

interface Outlet<Out> {
  /**
   * Sends the items that hold the type guard `when` to `next`, which needs to take only those.
   *
   * @returns `next`, so that a straight line reads `feed.to(parse).to(ledger)`.
   * @throws DefinitionError MR_BAD_EDGE when `next` is of another pipeline or already joined to this node.
   */
  to<Narrowed extends Out, Next extends Target<never>>(
    // Not `Next extends Target<Narrowed>`: a guard whose parameter is not annotated is looked at last, and by
    // then `next` would have been checked against all of `Out`.
    next: Next & Target<Narrowed>,
    options: { readonly when: (item: Out) => item is Narrowed },
  ): Next;
  /**
   * Sends the items for which `when` holds to `next`; without `when` all of them. An item goes to every edge
   * whose `when` holds; when none does it is filtered.
   *
   * @returns `next`, so that a straight line reads `feed.to(parse).to(ledger)`.
   * @throws DefinitionError MR_BAD_EDGE when `next` is of another pipeline or already joined to this node.
   */
  to<Next extends Target<Out>>(next: Next, options?: EdgeOptions<Out>): Next;
}

/** Puts items out and takes none. */
export interface Source<Out> extends Node<"source", never>, Outlet<Out> {}

/** Takes items and puts items out. */
export interface Stage<In, Out> extends Node<"stage", In>, Outlet<Out> {}

/** Takes items and puts none out. */
export interface Sink<In> extends Node<"sink", In> {}
