import { ConfigError, type Environment, givenIn } from './config.ts';
import { settings } from './settings.ts';

const migrationSettings = settings.pick({ LOG_LEVEL: true, DATABASE_URL: true, DATABASE_OWNER_URL: true });

/**
 * Reads what `migrate` is told. It looks at no other variable, so that it may have the environment of a process that
 * serves beside the owner's URL. Throws a {@link ConfigError} for everything that is wrong, together.
 */
export function parseMigrationConfig(environment: Environment) {
  const given = givenIn(environment);
  const { data, error } = migrationSettings.safeParse(given);
  const problems = [
    ...(error?.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`) ?? []),
    ...(given['DATABASE_URL'] === undefined ? ['Set DATABASE_URL: its role gets the rights of the program'] : []),
  ];
  if (data?.DATABASE_URL === undefined || problems.length > 0) throw new ConfigError(problems);
  return {
    logLevel: data.LOG_LEVEL,
    url: data.DATABASE_URL,
    /** The program's own URL where one role is both. */
    ownerUrl: data.DATABASE_OWNER_URL ?? data.DATABASE_URL,
  };
}
