import { type Row, times } from "../row.ts";

export const broadway: Row = {
  name: "broadway",
  what: "durable item-hops/s",
  peer: "Broadway in memory, which stores nothing",
  better: "more",
  floor: 0.25,
  aim: 0.5,
  format: times,
  measure: async () => ({ text: "it needs Elixir, which this harness does not start; see bench/README.md" }),
};
