import fc from "fast-check";
import { expect, test } from "vitest";
import { ConcurrencyTuner } from "../../src/instance/concurrency-tuner.ts";

interface Service {
  /** Milliseconds of a call while there is room. */
  readonly latencyMs: number;
  /** Calls that it works on at once: more of them wait for each other. */
  readonly room: number;
}

/** A stage that always has more to do, calling a service: time passes in steps of a millisecond. */
class Stage {
  readonly tuner: ConcurrencyTuner;
  #now = 0;
  #ended = 0;

  constructor(min: number, max: number) {
    this.tuner = new ConcurrencyTuner({ min, max });
  }

  run(ms: number, { latencyMs, room }: Service, isSaturated = true, noise = 0): number {
    const before = this.#ended;
    for (let i = 0; i < ms; i++) {
      this.#now++;
      const swing = 1 + noise * Math.sin(this.#now / 37);
      this.#ended += (Math.min(this.tuner.limit, room) / latencyMs) * swing;
      this.tuner.look(this.#now, Math.floor(this.#ended), isSaturated);
    }
    return (this.#ended - before) / ms;
  }
}

test.each([1, 4, 20, 100, 256])(
  "it finds the %i calls that a service works on at once, and few more",
  (room) => {
    const stage = new Stage(1, 256);
    const service = { latencyMs: 40, room };
    stage.run(60_000, service, true, 0.02);
    expect(stage.run(30_000, service, true, 0.02)).toBeGreaterThan((0.85 * room) / 40);
    expect(stage.tuner.limit).toBeGreaterThanOrEqual(room * 0.75);
    expect(stage.tuner.limit).toBeLessThanOrEqual(Math.max(2, room * 2));
  },
);

test("it follows a service that gets room, and one that loses it", () => {
  const stage = new Stage(1, 256);
  stage.run(30_000, { latencyMs: 20, room: 10 });
  stage.run(120_000, { latencyMs: 20, room: 80 });
  expect(stage.tuner.limit).toBeGreaterThan(50);
  stage.run(240_000, { latencyMs: 20, room: 8 });
  expect(stage.tuner.limit).toBeLessThan(40);
});

test("it changes nothing while there is nothing to do, and is never outside its bounds", () => {
  const idle = new Stage(3, 9);
  idle.run(10_000, { latencyMs: 5, room: 100 }, false);
  expect(idle.tuner.limit).toBe(3);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 0, max: 50 }),
      fc.array(
        fc.record({ latencyMs: fc.integer({ min: 1, max: 50 }), room: fc.integer({ min: 1, max: 100 }) }),
        {
          maxLength: 5,
        },
      ),
      (min, span, services) => {
        const stage = new Stage(min, min + span);
        for (const service of services) {
          for (let i = 0; i < 20; i++) {
            stage.run(150, service, i % 7 !== 0);
            expect(stage.tuner.limit).toBeGreaterThanOrEqual(min);
            expect(stage.tuner.limit).toBeLessThanOrEqual(min + span);
          }
        }
      },
    ),
    { numRuns: 40 },
  );
});
