import { describeLocalSettings } from '../local/settings.ts';
import { catalog } from '../src/catalog/index.ts';
import { describeAllSettings } from '../src/config/all-settings.ts';
import type { SettingDescription } from '../src/config/settings.ts';

/** The text of `.env.example`: every setting with its meaning and its default, commented out. */
export function renderEnvExample(): string {
  const head = [
    '# Every setting of Portico. What is commented out is the default, or is not set.',
    '# Durations: 500ms, 15s, 30m, 72h, 2d. An empty value counts as not set. An unknown PORTICO_ name stops the start.',
    '# Written by `npm run generate`: change src/config/settings.ts, local/settings.ts, or the settings of a process or a part,',
    '# such as src/catalog/transfer-settings.ts and src/config/webhook-settings.ts.',
  ];
  const local = ['# What `npm start` reads for itself, and no other program.'];
  const ofPortico = describeAllSettings(catalog);
  const parts = [head, ...ofPortico.map(linesFor), local, ...describeLocalSettings().map(linesFor)];
  return parts.map((lines) => `${lines.join('\n')}\n`).join('\n');
}

const linesFor = ({ name, meaning, fallback }: SettingDescription): string[] => [
  `# ${meaning}`,
  `# ${name}=${fallback ?? ''}`,
];
