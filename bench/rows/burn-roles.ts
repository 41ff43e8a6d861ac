/** Bare processes that burn processor time: what this machine gives to two of them at this moment. */
import { type Part, playRole } from "../play-role.ts";
import { burn } from "./burn.ts";

/** Burns a millisecond at a time for so long; reports how many a second it came to. */
async function burner([forMs = ""]: string[]): Promise<Part> {
  return {
    async work() {
      const began = performance.now();
      let done = 0;
      let now = began;
      for (; now - began < Number(forMs); now = performance.now()) {
        burn(1);
        done++;
      }
      return (done / (now - began)) * 1_000;
    },
    close: async () => undefined,
  };
}

await playRole({ burner });
