import { type Environment } from '../config/config.ts';
import { parseMigrationConfig } from '../config/migration-config.ts';
import { createLogger } from '../observability/logger.ts';
import { migrateDatabase } from './migrate.ts';
import { missingCommand } from './missing-command.ts';

/** A command of the program beside serving. Resolves to its exit code. */
type Command = (args: readonly string[], environment: Environment) => Promise<number>;

const commands: Readonly<Record<string, Command>> = {
  async migrate(args, environment) {
    if (args.length > 0)
      throw new Error('migrate takes no arguments: its settings are DATABASE_URL and DATABASE_OWNER_URL');
    const { url, ownerUrl, logLevel } = parseMigrationConfig(environment);
    const logger = createLogger({ level: logLevel });
    await migrateDatabase({ url: url.reveal(), ownerUrl: ownerUrl.reveal(), logger });
    logger.info('the schema is up to date, and the role of the program has its rights');
    return 0;
  },
  missing: missingCommand,
};

/** Runs the named command. Rejects for a name that is none, and for whatever keeps the command from its work. */
export function runCommand(name: string, args: readonly string[], environment: Environment): Promise<number> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command !== undefined) return command(args, environment);
  const known = Object.keys(commands).join(', ');
  return Promise.reject(
    new Error(`There is no command ${JSON.stringify(name)}: give none to serve, or one of ${known}.`),
  );
}
