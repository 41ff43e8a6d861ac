import { Arrivals } from "../hop/arrivals.ts";
import { addTax, makeItem } from "../hop/item.ts";
import { type Part, playRole } from "../play-role.ts";
import { PACKINGS, type Packing } from "./items-packing.ts";
import type { RawClient } from "./raw-client.ts";

/** Not confirmed at once, at most: bytes, and messages. */
const WINDOW_BYTES = 8 * 1024 * 1024;
const WINDOW_MESSAGES = 2_000;
/** What a source sends before it lets the client write and hear of confirmations. */
const TURN_BYTES = 64 * 1024;

/** source → stage → sink over two queues of a broker, by its own client, a process each. */
export async function playEngineRole(connect: (url: string) => Promise<RawClient>): Promise<void> {
  const packingOf = (name: string) => (PACKINGS[name] as () => Packing)();

  async function source([url = "", packing = "", items = ""]: string[]): Promise<Part> {
    const client = await connect(url);
    for (const queue of ["first", "second"]) await client.declare(queue);
    const pack = packingOf(packing);
    let messages = 0;
    let bytes = 0;
    let turn = 0;
    let onRoom: (() => void) | undefined;
    const send = (message: Buffer | undefined): void => {
      if (message === undefined) return;
      messages++;
      bytes += message.length;
      turn += message.length;
      client.publish("first", message, () => {
        messages--;
        bytes -= message.length;
        // Woken once there is room for many: a turn of the loop for each message would cost more than the message.
        if (messages < WINDOW_MESSAGES / 2 && bytes < WINDOW_BYTES / 2) onRoom?.();
      });
    };
    const room = async (): Promise<void> => {
      turn = 0;
      while (messages >= WINDOW_MESSAGES || bytes >= WINDOW_BYTES)
        await new Promise<void>((go) => (onRoom = go));
      await new Promise<void>((go) => setImmediate(go));
    };
    return {
      async work() {
        const firstAt = Date.now();
        for (let id = 0; id < Number(items); id++) {
          send(pack.add(makeItem(id)));
          if (turn >= TURN_BYTES || messages >= WINDOW_MESSAGES) await room();
        }
        send(pack.flush());
        return firstAt;
      },
      close: () => client.close(),
    };
  }

  async function stage([url = "", packing = "", , most = ""]: string[]): Promise<Part> {
    const client = await connect(url);
    const pack = packingOf(packing);
    return {
      async work() {
        await client.consume("first", Number(most), (message, ack) => {
          let left = 1;
          const confirmed = () => {
            if (--left === 0) ack();
          };
          const send = (full: Buffer | undefined) => {
            if (full === undefined) return;
            left++;
            client.publish("second", full, confirmed);
          };
          pack.each(message, (item) => send(pack.add(addTax(item))));
          send(pack.flush());
          confirmed();
        });
      },
      close: () => client.close(),
    };
  }

  async function sink([url = "", packing = "", items = "", most = ""]: string[]): Promise<Part> {
    const client = await connect(url);
    const pack = packingOf(packing);
    const arrivals = new Arrivals(Number(items));
    return {
      work: () =>
        new Promise((resolve) => {
          void client.consume("second", Number(most), (message, ack) => {
            let isLast = false;
            pack.each(message, (item) => {
              isLast = arrivals.note(item) || isLast;
            });
            ack();
            if (isLast) resolve(arrivals.report());
          });
        }),
      close: () => client.close(),
    };
  }

  await playRole({ source, stage, sink });
}
