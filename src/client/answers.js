// What the hub answers, in its order: an answer that is older than what is known is dropped.
//
// What belongs here: which answer counts. What does not: asking, and what is shown.

export class Answers {
  /** How many questions there were, and the newest of them whose answer is known. */
  #asked = 0;
  #known = 0;

  /**
   * Asks how something is.
   *
   * @template Answer
   * @param {() => Promise<Answer>} question
   * @returns {Promise<Answer | null>} none where something newer is known by then
   */
  async ask(question) {
    this.#asked += 1;
    const number = this.#asked;
    const answer = await question();
    if (number < this.#known) return null;
    this.#known = number;
    return answer;
  }

  /** Something was changed, and how it is then is known: what was asked for before does not know of it. */
  changed() {
    this.#asked += 1;
    this.#known = this.#asked;
  }
}
