// Decodes every file of a folder that standard input names, and prints the seconds of processor time that it took.
const { readdirSync, readFileSync } = require("node:fs");
const { join } = require("node:path");
const { xdr } = require("@stellar/stellar-base");

const version = require("@stellar/stellar-base/package.json").version;
console.log(`stellar-base ${version} on Node ${process.versions.node}`);

const held = new Map();

require("node:readline").createInterface({ input: process.stdin }).on("line", (folder) => {
  if (!held.has(folder)) {
    held.set(folder, readdirSync(folder).map((name) => readFileSync(join(folder, name))));
  }
  const begun = process.cpuUsage();
  for (const data of held.get(folder)) {
    xdr.LedgerCloseMetaBatch.fromXDR(data);
  }
  const { user, system } = process.cpuUsage(begun);
  console.log((user + system) / 1e6);
});
