/** `npm ci` with every Node.js of this machine says nothing of unsupported engines: the project runs on the one that it installs. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
const folders = [
  ...new Set(
    (process.env["PATH"] ?? "")
      .split(delimiter)
      .filter(existsSync)
      .map((one) => realpathSync(one)),
  ),
]
  .filter((folder) => !folder.includes("node_modules"))
  .filter((folder) => existsSync(join(folder, "npm")) && existsSync(join(folder, "node")));

it.skipIf(folders.length === 0)("npm ci has no warnings of engines", () => {
  const project = mkdtempSync(join(tmpdir(), "shoal-npm-"));
  for (const file of ["package.json", "package-lock.json", ".npmrc"])
    cpSync(join(ROOT, file), join(project, file));
  try {
    for (const folder of folders) {
      const text = execFileSync("npm ci --dry-run --offline --ignore-scripts 2>&1", {
        cwd: project,
        encoding: "utf8",
        shell: true,
        // npm hands its own settings on to what it runs
        env: { PATH: `${folder}${delimiter}/usr/bin${delimiter}/bin`, HOME: project },
      });
      expect(text).not.toContain("EBADENGINE");
    }
  } finally {
    rmSync(project, { recursive: true });
  }
});
