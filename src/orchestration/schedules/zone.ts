/** A time zone as clocks show it. */
export interface Zone {
  /** What local time is ahead of UTC at this instant, in milliseconds. */
  offsetAt(instantMs: number): number;
}

// Zones change their offset at multiples of a quarter of an hour.
const quarterMs = 900_000;
const maxKnown = 50_000;

const zones = new Map<string, Zone>();
const maxZones = 100;

/** The zone of an IANA name such as `Europe/Vienna`; undefined for a name that this program does not know. */
export function zoneOf(name: string): Zone | undefined {
  const known = zones.get(name);
  if (known !== undefined) return known;
  const format = formatOf(name);
  if (format === undefined) return undefined;
  const zone = createZone(format);
  if (zones.size >= maxZones) zones.clear();
  zones.set(name, zone);
  return zone;
}

// A name is as in the database of zones: offsets such as +02:00 are none.
const namePattern = /^[A-Z][A-Za-z0-9_+-]*(\/[A-Z][A-Za-z0-9_+-]*){0,2}$/;

function formatOf(name: string): Intl.DateTimeFormat | undefined {
  if (!namePattern.test(name)) return undefined;
  const parts = { year: 'numeric', month: 'numeric', day: 'numeric' } as const;
  const clock = { hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' } as const;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name, calendar: 'gregory', ...parts, ...clock });
  } catch {
    return undefined;
  }
}

function createZone(format: Intl.DateTimeFormat): Zone {
  const offsets = new Map<number, number>();

  function read(instantMs: number): number {
    const found = Object.fromEntries(format.formatToParts(instantMs).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = found;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(instantMs / 1_000) * 1_000;
  }

  return {
    offsetAt(instantMs) {
      const quarter = Math.floor(instantMs / quarterMs);
      const known = offsets.get(quarter);
      if (known !== undefined) return known;
      const offset = read(quarter * quarterMs);
      if (offsets.size >= maxKnown) offsets.clear();
      offsets.set(quarter, offset);
      return offset;
    },
  };
}
