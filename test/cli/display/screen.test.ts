import { expect, test } from "vitest";
import { Screen } from "../../../src/cli/display/screen.ts";
import { TerminalScreen } from "../../support/terminal-screen.ts";

/** A terminal and a screen on it; what is written to the terminal by others goes to `terminal.write`. */
function onTerminal(columns: number): {
  terminal: TerminalScreen;
  screen: Screen;
  stream: { columns: number };
} {
  const terminal = new TerminalScreen(columns);
  const stream = { columns, rows: 10, write: (text: string) => terminal.write(text) };
  return { terminal, stream, screen: new Screen(stream) };
}

test("lines are painted over, and what is printed stays above them", () => {
  const { terminal, screen } = onTerminal(40);
  terminal.write("$ millrace run\n");
  screen.paint(["stage  in", "feed    1"]);
  screen.printAbove([{ text: "first\n" }, { text: "second\n", direct: (text) => terminal.write(text) }]);
  screen.paint(["stage  in", "feed   20", "more"]);
  screen.paint(["stage  in", "feed   30"]);

  expect(terminal.text).toBe("$ millrace run\nfirst\nsecond\nstage  in\nfeed   30");
  screen.clear();
  expect(terminal.text).toBe("$ millrace run\nfirst\nsecond");
});

test("a terminal that becomes narrower, or wider again, keeps nothing of what was painted before", () => {
  const { terminal, screen, stream } = onTerminal(40);
  terminal.write("$ millrace run\n");
  screen.paint(["a".repeat(39), "b".repeat(30), "c"]);
  terminal.resize(20);
  stream.columns = 20;
  screen.paint(["d".repeat(19), "e"]);
  expect(terminal.text).toBe(`$ millrace run\n${"d".repeat(19)}\ne`);

  terminal.resize(60);
  stream.columns = 60;
  screen.printAbove([{ text: "printed\n" }]);
  screen.paint(["f".repeat(59), "g"]);
  expect(terminal.text).toBe(`$ millrace run\nprinted\n${"f".repeat(59)}\ng`);
});

test("what others wrote while it was stopped is not painted over", () => {
  const { terminal, screen } = onTerminal(40);
  screen.paint(["feed 1"]);
  terminal.write("[1]+ Stopped\n$ fg\n");
  screen.forget();
  screen.paint(["feed 2"]);
  screen.paint(["feed 3"]);

  expect(terminal.text).toBe("feed 1\n[1]+ Stopped\n$ fg\nfeed 3");
});

test("what is printed and what is painted go out in one piece", () => {
  const writes: string[] = [];
  const screen = new Screen({ columns: 40, rows: 10, write: (text) => writes.push(text) });
  screen.paint(["feed 1"]);
  screen.printAbove([{ text: "printed\n" }]);

  expect(writes).toHaveLength(2);
  expect(writes[1]).toMatch(/printed\nfeed 1\n/);
});
