import { Counter, Gauge, type Registry } from 'prom-client';

/** One operation as it stands before its gate. */
interface Reading {
  readonly operation: string;
  readonly cost: string;
  readonly limit: number;
  readonly underWay: number;
  readonly waiting: number;
}

/** The metrics of requests that are admitted, wait or are shed. Labels are those of the declared operations. */
export function createAdmissionMetrics(registers: Registry[]) {
  const labelNames = ['operation', 'cost'] as const;
  let read = (): readonly Reading[] => [];
  /** Read when Prometheus asks: a request has nothing to do with it. */
  const gauge = (name: string, help: string, pick: (reading: Reading) => number) =>
    new Gauge({
      ...{ name, help, labelNames, registers },
      collect() {
        for (const reading of read()) this.set({ operation: reading.operation, cost: reading.cost }, pick(reading));
      },
    });
  gauge('portico_requests_limit', 'Requests that may be under way at once, as it follows their times.', (r) => r.limit);
  gauge('portico_requests_under_way', 'Requests that call Temporal or the database now.', (r) => r.underWay);
  gauge('portico_requests_waiting', 'Requests that wait for their turn.', (r) => r.waiting);
  const shed = new Counter({
    name: 'portico_requests_shed_total',
    help: 'Requests refused with 503 overloaded because there was no room for them in time.',
    labelNames,
    registers,
  });

  return {
    countShed: (operation: string, cost: string): void => shed.inc({ operation, cost }),
    /** `source` is asked at each collection. */
    watchAdmission(source: () => readonly Reading[]): void {
      read = source;
    },
  };
}
