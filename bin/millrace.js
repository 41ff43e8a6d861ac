#!/usr/bin/env node
// Looked at before anything is imported: an older Node would answer with a syntax error instead.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`millrace: Node ${process.versions.node} is too old; use 20.19 or newer`);
  process.exit(9);
}
await import("../dist/cli/main.js");
