// Data directories brokerd must not serve: refused within two seconds, in one line that names the directory.
import { test } from "node:test";
import { chmod, chown, copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { Broker, brokerd, freePorts, refused } from "../e2e/support/broker.mjs";
import { scratch, smallDisk } from "./support/place.mjs";

const root = process.getuid() === 0;
const nobody = 65534;

async function serving(data) {
  const [mqtt, admin] = await freePorts(2);
  return ["--data-dir", data, "--listen", `mqtt://127.0.0.1:${mqtt}`, "--admin-socket", `${data}.sock`, "--admin-http", `127.0.0.1:${admin}`];
}

// As refused(), by somebody without privileges. The build may be where nobody else may go: a copy in `dir` is started.
async function refusedUnprivileged(dir, data, patterns) {
  if (!root) return refused(await serving(data), 71, patterns);
  const copy = path.join(dir, "brokerd");
  await copyFile(brokerd, copy);
  await chmod(copy, 0o755);
  return refused(await serving(data), 71, patterns, ["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", copy]);
}

// A directory with a store in it.
async function stored(data) {
  const broker = await Broker.start({ data });
  await broker.stop();
  await broker.dispose();
}

function crc32c(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit !== 8; ++bit) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return (~crc >>> 0).toString(16).padStart(8, "0");
}

test("a file where the directory should be, and where its parent should be", () => scratch(async (dir) => {
  const file = path.join(dir, "file");
  await writeFile(file, "");
  await refused(await serving(file), 71, [new RegExp(`${file}: it is a file, not a directory`)]);
  await refused(await serving(path.join(file, "data")), 71, [new RegExp(`${file}/data: cannot create it: Not a directory`)]);
}));

test("a parent that cannot be made", async () => {
  await refused(await serving("/proc/none/data"), 71, [/\/proc\/none\/data: cannot create it: No such file/, /--data-dir/]);
});

test("a directory without write permission", () => scratch(async (dir) => {
  const data = path.join(dir, "data");
  await mkdir(data, { mode: 0o500 });
  if (root) await chown(data, nobody, nobody);
  await refusedUnprivileged(dir, data, [new RegExp(`${data}: it is read-only \\(mode 0500\\)`), /chmod u\+w/]);
  await refusedUnprivileged(dir, path.join(data, "more"), [new RegExp(`${data}/more: cannot create it: Permission denied`)]);
}));

test("somebody else's directory, and somebody else's files in one's own", () => scratch(async (dir) => {
  const data = path.join(dir, "data");
  if (!root) return refused(await serving("/usr"), 71, [/\/usr: it belongs to root, brokerd runs as/, /chown/]);
  await stored(data);
  await refusedUnprivileged(dir, data, [new RegExp(`${data}: it belongs to root, brokerd runs as nobody`), /chown -R/]);
  await chown(data, nobody, nobody);
  await refusedUnprivileged(dir, data, [new RegExp(`${data}/\\S+ cannot be (read|written)`)]);
  for (const file of await readdir(data)) if (file !== "IDENTITY") await chown(path.join(data, file), nobody, nobody);
  await chmod(path.join(data, (await readdir(data)).find((name) => name.endsWith(".log"))), 0o000);
  await refusedUnprivileged(dir, data, [new RegExp(`${data}/\\d+\\.log cannot be read`)]);
}));

test("a read-only file system", () => smallDisk("64m", async (disk, remount) => {
  const data = path.join(disk, "data");
  await stored(data);
  await remount("ro");
  await refused((await serving(data)).map((word) => (word.endsWith(".sock") ? `${path.dirname(disk)}/sock` : word)), 71, [new RegExp(`${data}: it cannot be written: Read-only file system`)]);
}));

test("a newer format", () => scratch(async (dir) => {
  const data = path.join(dir, "data");
  await stored(data);
  const seal = path.join(data, "SEAL");
  const lines = (await readFile(seal, "utf8")).replace(/^format \d+$/m, "format 99").replace(/^end .*\n$/m, "");
  await writeFile(seal, `${lines}end ${crc32c(Buffer.from(lines))}\n`);
  await refused(await serving(data), 71, [new RegExp(data), /format 99 is not known/, /use the version that wrote it/]);
}));

test("a directory in use: by whom is said", async () => {
  const broker = await Broker.start();
  try {
    await refused(await serving(broker.data), 71, [new RegExp(`${broker.data}: in use by another brokerd \\(process ${broker.process.pid}\\)`)]);
  } finally {
    await broker.dispose();
  }
});
