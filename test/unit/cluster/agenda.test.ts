import fc from "fast-check";
import { expect, test } from "vitest";
import { Agenda, newAlarm, type Alarm } from "../../../src/cluster/agenda.ts";

const NEVER = Number.POSITIVE_INFINITY;

test("an alarm that is set again and again is one entry, at the time that was set last", () => {
  const agenda = new Agenda();
  const alarm = newAlarm({ kind: "gossip" });
  for (const atMs of [5, 3, 9, 7]) agenda.set(alarm, atMs);
  expect(agenda.size).toBe(1);
  expect(agenda.takeDue(6)).toBeUndefined();
  expect(agenda.takeDue(7)).toEqual({ kind: "gossip" });
  expect(agenda.nextMs()).toBeUndefined();
});

test("whatever is set, moved and taken off, alarms come due in order and only while they are set", () => {
  const step = fc.tuple(fc.nat(19), fc.oneof(fc.nat(100), fc.constant(NEVER)));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const agenda = new Agenda();
      const alarms: Alarm[] = Array.from({ length: 20 }, (_, id) => newAlarm({ kind: "conn", id }));
      const expected = new Map<number, number>();
      for (const [id, atMs] of steps) {
        agenda.set(alarms[id] as Alarm, atMs);
        if (atMs === NEVER) expected.delete(id);
        else expected.set(id, atMs);
        expect(agenda.size).toBe(expected.size);
      }
      const taken: number[] = [];
      for (let nowMs = 0; nowMs <= 100; nowMs++) {
        for (let due = agenda.takeDue(nowMs); due !== undefined; due = agenda.takeDue(nowMs)) {
          const id = due.kind === "conn" ? due.id : -1;
          expect(expected.get(id)).toBe(nowMs);
          taken.push(id);
        }
      }
      expect(taken.toSorted((a, b) => a - b)).toEqual([...expected.keys()].toSorted((a, b) => a - b));
    }),
  );
});
