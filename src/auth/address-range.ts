/** Ranges of addresses as `10.0.0.0/8` or `fd00::/8`. An IPv4 address in IPv6's spelling is an IPv4 address. */

interface Bits {
  readonly value: bigint;
  readonly width: 32 | 128;
}

export interface AddressRange {
  has(address: string): boolean;
}

/** null: it is none. */
export function addressRange(text: string): AddressRange | null {
  const [address = "", length = "", ...rest] = text.split("/");
  const base = bitsOf(address);
  if (base === null || rest.length > 0 || !/^\d{1,3}$/.test(length) || Number(length) > base.width)
    return null;
  const shift = BigInt(base.width - Number(length));
  return {
    has(other) {
      const bits = bitsOf(other);
      return bits?.width === base.width && bits.value >> shift === base.value >> shift;
    },
  };
}

function bitsOf(address: string): Bits | null {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return fourOf(mapped ?? address) ?? sixOf(address);
}

function fourOf(address: string): Bits | null {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) return null;
  const bytes = address.split(".").map(Number);
  if (bytes.some((byte) => byte > 255)) return null;
  return { value: bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n), width: 32 };
}

function sixOf(address: string): Bits | null {
  if (!/^[\da-f:.]+$/i.test(address) || !URL.canParse(`http://[${address}]/`)) return null;
  const [head = "", tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...before, ...Array<string>(8 - before.length - after.length).fill("0"), ...after];
  const value = groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
  return { value, width: 128 };
}
