/** The messages of user-grants. Their wording may change at any time, because no workflow history holds it. */

export type MessageKind = 'welcome' | 'adult';

interface MessageText {
  readonly title: string;
  readonly body: string;
}

type Texts = Readonly<Record<MessageKind, (name: string) => MessageText>>;

const english: Texts = {
  welcome: (name) => ({ title: `Welcome, ${name}!`, body: 'Your welcome discount is on its way.' }),
  adult: (name) => ({ title: `One more for you, ${name}`, body: 'You are of age: another discount is yours.' }),
};

const german: Texts = {
  welcome: (name) => ({ title: `Willkommen, ${name}!`, body: 'Dein Begrüßungsrabatt ist unterwegs.' }),
  adult: (name) => ({
    title: `Noch etwas für dich, ${name}`,
    body: 'Du bist volljährig: Du bekommst einen weiteren Rabatt.',
  }),
};

const textsByLanguage: ReadonlyMap<string, Texts> = new Map([
  ['en', english],
  ['de', german],
]);

/** The text of a message in the language of a BCP 47 tag such as `de-AT`; English for a language without texts. */
export function messageTextOf(message: { kind: MessageKind; name: string; locale?: string | undefined }): MessageText {
  const [language = 'en'] = (message.locale ?? 'en').toLowerCase().split('-');
  return (textsByLanguage.get(language) ?? english)[message.kind](message.name);
}
