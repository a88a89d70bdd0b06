/** A reason not to start that a person can do something about: the message says it all. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
