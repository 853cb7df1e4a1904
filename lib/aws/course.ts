/** What an attempt tells of its course, so that the server's time can be read off the answer. */
export interface Course {
  /** Whom the request goes to. */
  to(host: string): void;
  /** The request goes out. */
  sent(): void;
  /** The head of its answer is there, with this `Date` header. */
  answered(date: string | undefined): void;
}
