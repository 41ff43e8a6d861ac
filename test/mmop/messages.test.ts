import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MillraceError } from "../../src/errors.ts";
import { decode, decodeAny, decodeReply, encode, encodeReply } from "../../src/mmop/envelope.ts";
import {
  isAgentVerb,
  isRequestVerb,
  MESSAGES,
  type RequestVerb,
  type Verb,
} from "../../src/mmop/messages.ts";
import { mutationsOf } from "./field-mutations.ts";
import { BODIES, REPLIES } from "./samples.ts";

const from = { name: "a1", boot: "b1" };
const VERBS = Object.keys(MESSAGES) as Verb[];
const REQUESTS = VERBS.filter(isRequestVerb);

/** What every message of that verb looks like on the wire, written out by hand. */
function wire(verb: Verb, body: unknown): Record<string, unknown> {
  return {
    mmop: 1,
    verb,
    from,
    ...(isRequestVerb(verb) ? { request: "q1" } : {}),
    ...(isAgentVerb(verb) ? { epoch: 7 } : {}),
    body,
  };
}

function replyWire(verb: RequestVerb, body: unknown): Record<string, unknown> {
  return { mmop: 1, verb, from, request: "q1", body };
}

function copy<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

describe.each(VERBS)("message %s", (verb) => {
  test("goes round", () => {
    const sent = encode(verb, from, BODIES[verb], { request: "q1", epoch: 7 });
    expect(copy(sent)).toEqual(wire(verb, BODIES[verb]));
    expect(copy(decode(verb, copy(sent)))).toEqual(copy(sent));
    expect(decodeAny(copy(sent))).toEqual(decode(verb, copy(sent)));
  });

  test("is refused with the field's name when a field of the envelope is missing or malformed", () => {
    const message = wire(verb, BODIES[verb]);
    for (const field of Object.keys(message)) {
      const { [field]: _, ...without } = message;
      expectRefusal(() => decode(verb, without), field);
      expectRefusal(() => decode(verb, { ...message, [field]: [1] }), field);
    }
    expectRefusal(() => decode(verb, { ...message, from: { boot: "b" } }), "from.name");
    expectRefusal(() => decode(verb, { ...message, from: { name: "n", boot: 1 } }), "from.boot");
  });

  test("is refused with the field's name when a field of its body is missing or malformed", () => {
    const mutations = mutationsOf(MESSAGES[verb].body, BODIES[verb]);
    expect(mutations.length).toBeGreaterThanOrEqual(Object.keys(BODIES[verb]).length);
    for (const { path, value } of mutations)
      expectRefusal(() => decode(verb, wire(verb, value)), `body.${path}`);
  });

  test("has its unknown fields ignored, in the envelope and in the body", () => {
    const known = wire(verb, BODIES[verb]);
    const more = {
      ...known,
      later: 1,
      from: { ...from, later: 1 },
      body: { ...BODIES[verb], later: { x: 1 } },
    };
    expect(decode(verb, more)).toEqual(decode(verb, known));
  });

  test("is refused in another version", () => {
    for (const mmop of [0, 2, 99]) {
      expect(() => decode(verb, { ...wire(verb, BODIES[verb]), mmop, body: "of that version" })).toThrow(
        expect.objectContaining({
          code: "MR_PROTOCOL_VERSION",
          message: expect.stringContaining(`version ${mmop}`),
        }),
      );
    }
  });
});

describe.each(REQUESTS)("reply to %s", (verb) => {
  test("goes round, every outcome of it", () => {
    for (const body of REPLIES[verb]) {
      const sent = encodeReply(verb, from, "q1", body);
      expect(copy(sent)).toEqual(replyWire(verb, body));
      expect(decodeReply(verb, copy(sent))).toEqual(sent);
    }
  });

  test("is refused with the field's name when a field is missing or malformed; unknown ones are ignored", () => {
    for (const body of REPLIES[verb]) {
      for (const { path, value } of mutationsOf(MESSAGES[verb].reply, body)) {
        expectRefusal(() => decodeReply(verb, replyWire(verb, value)), `body.${path}`);
      }
      const more = replyWire(verb, { ...body, later: true });
      expect(decodeReply(verb, more)).toEqual(decodeReply(verb, replyWire(verb, body)));
    }
    const { request: _, ...without } = replyWire(verb, REPLIES[verb][0]);
    expectRefusal(() => decodeReply(verb, without), "request");
  });
});

test("an unknown verb is refused by name", () => {
  for (const verb of ["agent.fly", "", "__proto__", "constructor", "toString"]) {
    expectRefusal(() => decodeAny({ mmop: 1, verb, from, body: {} }), "verb");
    expect(() => decodeAny({ mmop: 1, verb, from, body: {} })).toThrow(JSON.stringify(verb));
  }
  expectRefusal(() => decode("agent.ping", wire("agent.shutdown", BODIES["agent.shutdown"])), "verb");
});

test("what is optional may be absent, and then it is", () => {
  const { resume: _, ...body } = BODIES["agent.start-instance"];
  expect(decode("agent.start-instance", wire("agent.start-instance", body)).body).toEqual(body);
  expect(Object.keys(decode("coord.status", wire("coord.status", {})).body)).toEqual([]);
});

test("the shape of a pipeline is handed on whole, with what a later version added to it", () => {
  const body = copy(BODIES["agent.start-run"]) as unknown as {
    shape: { nodes: { settings: object }[]; later?: number };
  };
  Object.assign(body.shape.nodes[0]?.settings ?? {}, { orderBy: { partitions: 32 } });
  body.shape.later = 1;
  expect(decode("agent.start-run", wire("agent.start-run", body)).body).toEqual(body);
});

test("errors are clipped, so that a full heartbeat of a large machine fits into a message", () => {
  const lastError = { name: "E".repeat(50), message: "m".repeat(4_000), stack: "s".repeat(8_000) };
  const [instance] = BODIES.hb.instances;
  const instances = Array.from({ length: 32 }, (_, i) => ({ ...instance!, id: `i-${i}`, lastError }));
  const text = JSON.stringify(encode("hb", from, { ...BODIES.hb, instances }));
  expect(text.length).toBeLessThan(64 * 1024);
  expect(text).toContain("m".repeat(500));
});

test("names from the wire are only names", () => {
  const counters = JSON.parse('{"__proto__": 1, "constructor": 2}');
  const instances = [{ ...BODIES.hb.instances[0], counters }];
  const decoded = decode("hb", wire("hb", { ...BODIES.hb, instances })).body.instances[0]?.counters ?? {};
  expect(Object.keys(decoded)).toEqual(["__proto__", "constructor"]);
  expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
});

describe("whatever is received, the decoder answers with a message or a typed refusal", () => {
  const decoders: ((received: unknown) => unknown)[] = [
    decodeAny,
    ...VERBS.map((verb) => (received: unknown) => decode(verb, received)),
    ...REQUESTS.map((verb) => (received: unknown) => decodeReply(verb, received)),
  ];

  test("any JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (received) => {
        for (const run of decoders) expectTyped(() => run(received));
      }),
      { numRuns: 300 },
    );
  });

  test("a good message with one place spoilt", () => {
    const spoilt = fc.record({
      verb: fc.constantFrom(...VERBS),
      at: fc.nat(),
      junk: fc.oneof(fc.jsonValue(), fc.constant("__proto__"), fc.constant(-0), fc.constant(1e308)),
    });
    fc.assert(
      fc.property(spoilt, ({ verb, at, junk }) => {
        const message = copy(wire(verb, BODIES[verb]));
        const places = placesOf(message);
        const place = places[at % places.length];
        if (place !== undefined) place.holder[place.key] = junk;
        expectTyped(() => decode(verb, message));
        expectTyped(() => decodeAny(message));
        expectTyped(() => isRequestVerb(verb) && decodeReply(verb, message));
      }),
      { numRuns: 2_000 },
    );
  });

  test("deep nesting", () => {
    const deep = JSON.parse("[".repeat(30_000) + "]".repeat(30_000)) as unknown;
    for (const run of decoders) expectTyped(() => run(deep));
    expectRefusal(() => decode("coord.status", wire("coord.status", { run: deep })), "body.run");
  });
});

function placesOf(value: unknown): { holder: Record<string, unknown>; key: string }[] {
  if (typeof value !== "object" || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...placesOf(holder[key])]);
}

function expectTyped(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof MillraceError) || !/^MR_PROTOCOL(_VERSION)?$/.test(error.code)) throw error;
    expect(error.details.field).toBeTypeOf("string");
  }
}

function expectRefusal(run: () => unknown, field: string): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  expect(thrown, `field ${field}`).toBeInstanceOf(MillraceError);
  expect(thrown).toMatchObject({ code: "MR_PROTOCOL", details: { field } });
  expect((thrown as Error).message).toContain(`field ${field}`);
}
