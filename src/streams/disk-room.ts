/** What there is to know, for those who take items from outside, of the disk that holds them. */
export interface DiskRoom {
  /** Below the first watermark: nothing new is to come in; what is stored goes on being processed. */
  readonly isLow: boolean;
  /** Whether so much can be written, and a little more: what settles items must always find room. */
  fits(bytes: number): boolean;
  /** So much is about to be written. */
  expect(bytes: number): void;
  /** The same of items from outside; false when it is not to be written: what room is left is for others. */
  admit(bytes: number): boolean;
  /** What was expected, or admitted, is written, or never will be. */
  wrote(bytes: number): void;
  /** Resolves when somebody has looked at the disk again, or nobody will any more. */
  looked(): Promise<void>;
  readonly isClosed: boolean;
  /** Called when it becomes low, and when it is no longer. */
  onChange(listener: () => void): void;
  /** How much there is, for people. */
  readonly text: string;
}
