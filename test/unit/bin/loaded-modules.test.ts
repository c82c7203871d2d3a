/** What commands and servers load: what is loaded needlessly makes each start longer. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const main = join(import.meta.dirname, "../../../src/main.ts");

interface Loaded {
  /** Of src/. */
  readonly files: readonly string[];
  /** Of Node. */
  readonly builtins: readonly string[];
}

/** Modules that are loaded when `args` have been answered, or when the server listens. */
function loadedBy(...args: readonly string[]): Loaded {
  const program = `
    const { registerHooks } = await import("node:module");
    const files = [];
    registerHooks({ load(url, context, next) {
      if (url.includes("/src/")) files.push(url.replace(/.*[/]src[/]/, ""));
      return next(url, context);
    } });
    process.argv = [process.execPath, "shoal", ...${JSON.stringify(args)}];
    process.stdout.write = () => true;
    await import(${JSON.stringify(main)});
    const builtins = process.moduleLoadList.map((name) => name.replace("NativeModule ", ""));
    process.stderr.write("\\n" + JSON.stringify({ files, builtins }) + "\\n");
    process.exit(0);
  `;
  const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
  });
  return JSON.parse(stderr.trimEnd().split("\n").at(-1)!) as Loaded;
}

describe("what is loaded", () => {
  it.each([["--version"], ["--help"], ["-t", "-c", join(import.meta.dirname, "../../../docker/shoal.conf")]])(
    "is the configuration and no server: %s",
    (...args) => {
      const { files } = loadedBy(...args);
      expect(files).toContain("config/load.ts");
      expect(files.filter((file) => /^(?:links|core|cluster|transport|monitor|log)\//.test(file))).toEqual(
        [],
      );
    },
  );

  it("is neither TLS, nor HTTP, nor what makes metrics, where a server needs none of them", () => {
    const { files, builtins } = loadedBy("-a", "127.0.0.1", "-p", "-1", "--cluster", "nats://127.0.0.1:-1");
    expect(files).toContain("app/server.ts");
    expect(builtins.filter((name) => /^(?:tls|https?|_tls_wrap|_http_server)$/.test(name))).toEqual([]);
    expect(files.filter((file) => /^metrics\/exposition|^monitor\/http|^config\/yaml/.test(file))).toEqual(
      [],
    );
  });
});
