/**
 * The disk of one server: a file system in a file, which can become full, lose what was not synced, be emptied, and be damaged. Where files
 * cannot be mounted it is in memory: then it survives a loss of power, which such a run leaves out.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomInt, type Random } from "../../src/base/random.ts";

const DISK_MIB = 128;
const FILLER = "filler";
/** Of ext4: to go down at once, without writing the journal. */
const SHUT_DOWN =
  "my $how = pack(q(L), 2); open(my $f, q(<), shift) or die; ioctl($f, 0x8004587d, $how) or die $!";

export class Disk {
  readonly folder: string;
  /** Whether what is not synced is gone after a loss of power. */
  readonly losesUnsynced: boolean;
  private readonly image: string;

  constructor(folder: string) {
    this.folder = folder;
    this.image = `${folder}.img`;
    mkdirSync(folder);
    writeFileSync(this.image, "");
    truncateSync(this.image, DISK_MIB << 20);
    this.losesUnsynced = succeeds("mkfs.ext4", "-q", "-m", "0", this.image) && this.mount();
    if (this.losesUnsynced) return;
    rmSync(this.image);
    run("mount", "-t", "tmpfs", "-o", `size=${DISK_MIB}m`, "none", folder);
  }

  get store(): string {
    return join(this.folder, "store");
  }

  fill(): void {
    spawnSync("dd", ["if=/dev/zero", `of=${join(this.folder, FILLER)}`, "bs=64k"], { stdio: "ignore" });
  }

  free(): void {
    rmSync(join(this.folder, FILLER), { force: true });
  }

  /** The disk goes away with what is not synced. Those that use it have to be stopped, so that they do not see it. */
  shutDown(): void {
    if (this.losesUnsynced) run("perl", "-e", SHUT_DOWN, this.folder);
  }

  /** After it was shut down, and nobody uses it any more. */
  comeBack(): void {
    if (!this.losesUnsynced) return;
    run("umount", this.folder);
    if (!this.mount()) throw new Error(`the disk ${this.folder} cannot be mounted again`);
  }

  wipe(): void {
    rmSync(this.store, { recursive: true, force: true });
  }

  /** Flips bits of files, or cuts files off; says what it did. No process may use the disk. */
  damage(random: Random, files: number): string[] {
    const all = filesBelow(this.store).filter((file) => statSync(file).size > 0);
    const done: string[] = [];
    for (let i = 0; i < files && all.length > 0; i++) {
      const [file = ""] = all.splice(randomInt(random, all.length), 1);
      const { size } = statSync(file);
      const at = randomInt(random, size);
      const doesCut = randomInt(random, 3) === 0;
      if (doesCut) truncateSync(file, at);
      else flip(file, at, randomInt(random, 8));
      done.push(`${file.slice(this.store.length + 1)} ${doesCut ? "cut" : "flipped"} at ${at} of ${size}`);
    }
    return done;
  }

  private mount(): boolean {
    return succeeds("mount", "-o", "loop", this.image, this.folder);
  }
}

function flip(file: string, at: number, bit: number): void {
  const bytes = readFileSync(file);
  bytes[at]! ^= 1 << bit;
  writeFileSync(file, bytes);
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function succeeds(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"] });
}
