import { permissionOf, type ProcessDefinition } from '../../definition/definition.ts';
import { hashedKey } from '../../orchestration/identity.ts';
import type { ScheduleRecord } from '../../orchestration/schedules/raw-schedule.ts';
import {
  type Firing,
  type ScheduleEntry,
  type ScheduleSnapshot,
  secondsText,
} from '../../orchestration/schedules/snapshot.ts';
import { nextFirings } from '../../orchestration/schedules/timetable.ts';
import { zoneOf } from '../../orchestration/schedules/zone.ts';
import type { Principal } from '../../tokens/authentication.ts';
import { collectionPathOf } from '../representation.ts';
import { definitionIn, timetableOf } from './schedules-rules.ts';
import type { ScheduleReplacement, ScheduleSpec } from './schedules-schemas.ts';

export const schedulesPath = '/v1/schedules';

const nextShown = 5;

/** Whom a schedule is shown to, and by what catalog its instances are found. */
interface Viewer {
  readonly principal: Principal;
  readonly catalog: readonly ProcessDefinition[];
}

type Shown = Pick<ScheduleSnapshot, 'name' | 'record' | 'isPaused' | 'note' | 'firings' | 'counts'>;

/** The schedule as its author wrote it. Nobody but Portico writes records. */
export const askedOf = ({ asked }: ScheduleRecord): ScheduleReplacement => asked as ScheduleReplacement;

/** A schedule as one caller sees it. */
export function toSchedule({ name, record, isPaused, note, firings, counts }: Shown, viewer: Viewer) {
  const { action, ...asked } = askedOf(record);
  const next = nextFirings(timetableOf(asked.spec), Date.now(), nextShown).map((ms) => secondsText(ms) ?? '');
  const { createdBy, createdAt, replacedBy, replacedAt } = record;
  return {
    name,
    ...asked,
    action: shownAction(action, viewer),
    state: stateOf(isPaused, next),
    ...noted(note),
    next,
    firings: firings.map((firing) => toFiring(firing, { name, record }, viewer)),
    counts,
    createdBy,
    createdAt,
    ...(replacedBy === undefined ? {} : { replacedBy, replacedAt }),
    links: linksOf(name, isPaused, viewer),
  };
}

/** A schedule as lists show it. */
export const toScheduleItem = ({ name, isPaused, note, next, firings }: ScheduleEntry) => ({
  name,
  state: stateOf(isPaused, next),
  ...noted(note),
  next,
  firings,
});

/** The input says what instances are started with: it is for those who may read them. */
const shownAction = ({ input, ...action }: ScheduleReplacement['action'], { principal }: Viewer) =>
  principal.permissions.has(`${action.process}:read`) ? { ...action, input } : action;

const stateOf = (isPaused: boolean, next: readonly unknown[]) =>
  isPaused ? 'paused' : next.length === 0 ? 'exhausted' : 'active';

const noted = (note: ScheduleSnapshot['note']) => (Object.keys(note).length === 0 ? {} : { note });

/** What made an earlier instance may have been another process: only firings since the last replacement tell theirs. */
function toFiring(firing: Firing, { name, record }: Pick<Shown, 'name' | 'record'>, viewer: Viewer) {
  const { replacedAt = record.createdAt } = record;
  if (Date.parse(firing.firedAt) < Date.parse(replacedAt)) return firing;
  const instance = instanceOf(askedOf(record).action, `${name}.${firing.scheduledAt}`, viewer);
  return { ...firing, ...(instance === undefined ? {} : { instance }) };
}

/** The instance of a key; with its address for whoever may read it. */
export function instanceOf(action: ScheduleReplacement['action'], key: string, { principal, catalog }: Viewer) {
  const definition = definitionIn(catalog, action);
  if (definition === undefined) return undefined;
  const id = definition.key.hashed === true ? hashedKey(key) : key;
  const isReadable = principal.permissions.has(permissionOf(definition, 'read'));
  return {
    process: definition.name,
    id,
    ...(isReadable ? { href: `${collectionPathOf(definition)}/${id}` } : {}),
  };
}

function linksOf(name: string, isPaused: boolean, { principal: { permissions } }: Viewer) {
  const self = `${schedulesPath}/${name}`;
  const link = (permission: string, verb: string, href: string, method: string) =>
    permissions.has(permission) ? { [verb]: { href, method } } : {};
  return {
    ...link('schedules:read', 'self', self, 'GET'),
    ...link('schedules:read', 'preview', `${self}/preview`, 'GET'),
    ...link('schedules:write', 'replace', self, 'PUT'),
    ...link('schedules:write', 'delete', self, 'DELETE'),
    ...(isPaused
      ? link('schedules:pause', 'resume', `${self}/resume`, 'POST')
      : link('schedules:pause', 'pause', `${self}/pause`, 'POST')),
    ...link('schedules:trigger', 'trigger', `${self}/trigger`, 'POST'),
    ...link('schedules:trigger', 'backfill', `${self}/backfill`, 'POST'),
  };
}

/** The first firings of a spec after an instant, in UTC and as clocks in its zone show them. */
export function toPreview(spec: ScheduleSpec, { count, after }: { count: number; after?: string | undefined }) {
  const afterMs = after === undefined ? Date.now() : Date.parse(after);
  const zone = zoneOf(spec.zone);
  return {
    items: nextFirings(timetableOf(spec), afterMs, count).map((ms) => ({
      at: secondsText(ms) ?? '',
      local: localText(ms, zone?.offsetAt(ms) ?? 0),
    })),
  };
}

function localText(ms: number, offsetMs: number): string {
  const minutes = Math.round(Math.abs(offsetMs) / 60_000);
  const two = (value: number) => String(value).padStart(2, '0');
  const offset = `${offsetMs < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
  return (secondsText(ms + offsetMs) ?? '').replace('Z', offset);
}

/**
 * The entity tag of a schedule as it was seen. The engine's token begins anew where a name is used again: the tag names
 * the creation too.
 */
export const tagOf = ({ token, record }: Pick<ScheduleSnapshot, 'token' | 'record'>): string =>
  `${Buffer.from(token).toString('hex')}-${Date.parse(record.createdAt).toString(36)}`;
