import { matchesSubject } from "./subject.ts";

/** A message on its way to one reader. */
export interface Delivery {
  readonly subject: string;
  /** JSON; every reader parses a copy of its own. */
  readonly text: string;
  /** Where a responder's answer goes; absent for subscribers. */
  readonly answer?: (outcome: Outcome) => void;
}

/** What a responder gave back: JSON, or the error that it threw. */
export type Outcome =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly error: Error };

export interface Route {
  readonly pattern: string;
  readonly kind: "subscriber" | "responder";
  /** Of the responders with the same queue one gets each request. */
  readonly queue?: string | undefined;
  /** False when the reader cannot take it. */
  readonly deliver: (delivery: Delivery) => boolean;
}

/** Who reads which subject in this process. */
export class LocalRouter {
  readonly #routes = new Set<Route>();
  readonly #turns = new Map<string, number>();

  add(route: Route): () => void {
    this.#routes.add(route);
    return () => this.#routes.delete(route);
  }

  publish(subject: string, text: string): void {
    for (const route of this.#matching(subject, "subscriber")) route.deliver({ subject, text });
  }

  /** Passes a request to all who are to answer it; their number. Subscribers see it too, as on a network. */
  request(subject: string, text: string, answer: (outcome: Outcome) => void): number {
    const responders = this.#oneOfEachQueue(this.#matching(subject, "responder"));
    const asked = responders.filter((route) => route.deliver({ subject, text, answer })).length;
    this.publish(subject, text);
    return asked;
  }

  #matching(subject: string, kind: Route["kind"]): Route[] {
    return [...this.#routes].filter((route) => route.kind === kind && matchesSubject(route.pattern, subject));
  }

  #oneOfEachQueue(responders: Route[]): Route[] {
    const queues = new Map<string, Route[]>();
    for (const route of responders) {
      if (route.queue === undefined) continue;
      const members = queues.get(route.queue);
      if (members === undefined) queues.set(route.queue, [route]);
      else members.push(route);
    }
    const chosen = responders.filter((route) => route.queue === undefined);
    for (const [queue, members] of queues) {
      const turn = this.#turns.get(queue) ?? 0;
      this.#turns.set(queue, turn + 1);
      chosen.push(members[turn % members.length] as Route);
    }
    return chosen;
  }
}
