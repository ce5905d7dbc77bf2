/** Tiles of points as the server packs them: see explore/tiles.py. */

import { degrees } from "../map/mercator";
import { monthOf } from "./film";
import type { TileData } from "./types";

const kinds = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, int16: Int16Array, float32: Float32Array } as const;
type Values = InstanceType<(typeof kinds)[keyof typeof kinds]>;

/** A tile; without points if there is nothing in it. */
export function decode(buffer: ArrayBuffer, z: number, x: number, y: number): TileData {
  const id = `${z}/${x}/${y}`;
  const none = new Uint16Array(0);
  const empty = { kind: "points", id, z, x, y, side: 0, length: 0, x16: none, y16: none, places: new Float64Array(0), height: null, count: null, row: null, part: null, film: null, pale: false } as const;
  if (buffer.byteLength < 4) return { ...empty, parts: [], value: new Float32Array(0), by: new Float32Array(0) };
  const size = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
  let offset = 4 + Math.ceil(size / 4) * 4;
  const arrays: Record<string, Values> = {};
  for (const [name, kind, rows = 1] of header.arrays as [string, keyof typeof kinds, number?][]) {
    const made = new kinds[kind](buffer, offset, rows * header.count);
    arrays[name] = made;
    offset += Math.ceil(made.byteLength / 4) * 4;
  }
  const places = new Float64Array(2 * header.count);
  const world = 2 ** z;
  for (let i = 0; i < header.count; i++) {
    [places[2 * i], places[2 * i + 1]] = degrees((x + arrays.x[i] / 65536) / world, (y + arrays.y[i] / 65536) / world);
  }
  return {
    kind: header.kind,
    id,
    z,
    x,
    y,
    x16: arrays.x as Uint16Array,
    y16: arrays.y as Uint16Array,
    side: header.side ?? 0,
    length: header.count,
    places,
    value: (arrays.mean ? new Float32Array(header.count) : arrays.value) as Float32Array,
    by: (arrays.by ?? arrays.value) as Float32Array,
    height: (arrays.height as Float32Array) ?? null,
    count: (arrays.count as Uint32Array) ?? null,
    row: (arrays.row as Uint32Array) ?? null,
    part: (arrays.part as Uint16Array) ?? null,
    parts: header.parts,
    film: arrays.mean ? { first: monthOf(header.first), quantum: header.quantum, mean: arrays.mean as Int16Array, counts: arrays.count_of as Uint8Array, noise: arrays.value as Float32Array, shown: "" } : null,
    pale: false,
  };
}
