import { pino, stdTimeFunctions } from 'pino';
import { serveAdmin } from './admin.ts';
import { discardDead, listDead, migrateOutbox, replayDead } from './dead-letters.ts';
import { createRelay } from './relay.ts';
import { parseSettings, type RelaySettings } from './settings.ts';

const usage = `usage: npm run relay -- [command]

  (none)       sends the rows of the outbox to Portico until it is told to stop
  migrate      makes the table outbox, or brings it up to date
  dead         lists dead rows with their problems, the newest first
  replay ID    sends a dead row again, as the last of its key
  discard ID   deletes a dead row for good

The settings are environment variables; docs/outbox.md names them.
`;

/** What the program was told to do. Nobody but this file reads the process's environment and arguments. */
const [command = 'run', id = ''] = process.argv.slice(2);

async function main(): Promise<number> {
  const isKnown = ['run', 'migrate', 'dead', 'replay', 'discard'].includes(command);
  if (!isKnown || (['replay', 'discard'].includes(command) && !/^[0-9]{1,18}$/.test(id))) {
    process.stderr.write(usage);
    return 2;
  }
  const parsed = parseSettings(process.env, { isAlone: command !== 'run' });
  if ('problems' in parsed) {
    const lines = ['The settings of the relay cannot be used:', ...parsed.problems.map((problem) => `  ${problem}`)];
    process.stderr.write(`${lines.join('\n')}\ndocs/outbox.md names all settings.\n`);
    return 2;
  }
  return command === 'run' ? run(parsed) : once(parsed);
}

async function run({ relay: options, admin, logLevel }: RelaySettings): Promise<number> {
  const logger = pino({
    level: logLevel,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
  const relay = createRelay({ ...options, logger });
  const server = await serveAdmin(relay, admin);
  const told = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve());
  });
  relay.start();
  logger.info({ adminUrl: server.url }, 'health and metrics are served');
  await told;
  await relay.stop();
  await server.close();
  return 0;
}

async function once({ relay: { database, deadLetters } }: RelaySettings): Promise<number> {
  const place = { url: database.url, schema: database.schema ?? 'public' };
  const say = (line: string) => process.stdout.write(`${line}\n`);
  switch (command) {
    case 'migrate':
      await migrateOutbox(place);
      say(`The outbox is in schema ${place.schema}.`);
      return 0;
    case 'dead':
      for (const letter of await listDead(place, { limit: 1_000 })) say(JSON.stringify(letter));
      return 0;
    default: {
      const isDone = command === 'replay' ? await replayDead(place, { id, deadLetters }) : await discardDead(place, id);
      say(isDone ? `Row ${id} is ${command === 'replay' ? 'sent again' : 'gone'}.` : `There is no dead row ${id}.`);
      return isDone ? 0 : 1;
    }
  }
}

const code = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
process.exit(code);
