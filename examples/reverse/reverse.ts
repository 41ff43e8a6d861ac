import { job } from "millrace";

export default job("reverse", {
  input: "hello\nworld",
  *split(input: string) {
    yield* input.split("\n");
  },
  process: (line: string) => [...line].reverse().join(""),
  combine: (lines) => lines.join("\n"),
});
