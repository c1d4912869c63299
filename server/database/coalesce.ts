import DataLoader from 'dataloader';

/** Questions that are asked with one call, at most: their answers fit into what a query returns at first. */
const batchSize = 100;
/** Milliseconds after which a batch that is slow holds up the next one no longer. */
const patience = 20;

/**
 * Puts together what several callers ask at once: what comes up in one turn of the event loop, or until the batch before
 * has ended, is asked with one call of `answer`. Nothing is kept, so that no answer is older than its question. `answer`
 * gives a value for each question, in their order, or an Error where one fails alone.
 */
export function coalesce<Question, Answer>(
  answer: (questions: readonly Question[]) => Promise<readonly (Answer | Error)[]>,
): (question: Question) => Promise<Answer> {
  const waiting: (() => void)[] = [];
  let underWay = false;

  function send(batch: () => void): void {
    if (underWay) waiting.push(batch);
    else batch();
  }

  async function ask(questions: readonly Question[]): Promise<readonly (Answer | Error)[]> {
    underWay = true;
    let holdsUp = true;
    const letOn = () => {
      if (!holdsUp) return;
      holdsUp = false;
      underWay = false;
      waiting.shift()?.();
    };
    const late = setTimeout(letOn, patience);
    try {
      return await answer(questions);
    } finally {
      clearTimeout(late);
      letOn();
    }
  }

  const loader = new DataLoader<Question, Answer>(ask, {
    cache: false,
    maxBatchSize: batchSize,
    batchScheduleFn: (batch) => void setImmediate(send, batch),
  });
  return (question) => loader.load(question);
}
