// Places to keep a store in: a directory everybody may enter, a file system of its own.
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { command } from "../../e2e/support/broker.mjs";

// `body` gets a directory that is gone afterwards.
export async function scratch(body) {
  const dir = await mkdtemp(path.join(os.tmpdir(), "brokerd-crash-"));
  await chmod(dir, 0o755); // other users start brokerd here, too
  try { return await body(dir); } finally { await rm(dir, { recursive: true, force: true }); }
}

export async function run(file, ...args) {
  const { code, stdout, stderr } = await command(file, args);
  if (code !== 0) throw new Error(`${file} ${args.join(" ")}: ${stderr || stdout}`);
  return stdout;
}

// As scratch(), but in memory and of `size`, as in "64m". `body` also gets a function that remounts it with other options.
export async function smallDisk(size, body) {
  return scratch(async (dir) => {
    const disk = path.join(dir, "disk");
    await mkdir(disk);
    try {
      await run("mount", "-t", "tmpfs", "-o", `size=${size},mode=0755`, "brokerd-test", disk);
    } catch (error) {
      throw new Error(`${error.message.trim()}; this test mounts a tmpfs: run it as root, or under \`unshare --map-root-user --mount\``);
    }
    try {
      return await body(disk, (options) => run("mount", "-o", `remount,${options}`, disk));
    } finally {
      await run("umount", disk);
    }
  });
}
