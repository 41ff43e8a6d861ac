/** A logger with pino's method shape, so that a user's own pino can stand in for it; fields may stand behind the message, too. */
export interface Logger {
  debug(message: string, fields?: object): void;
  debug(fields: object, message?: string): void;
  info(message: string, fields?: object): void;
  info(fields: object, message?: string): void;
  warn(message: string, fields?: object): void;
  warn(fields: object, message?: string): void;
  error(message: string, fields?: object): void;
  error(fields: object, message?: string): void;
}
