// Deletes a recording from its page, after a question.

import * as api from './api.js';
import { clock, count } from './format.js';
import { find, say, write } from './page.js';

/**
 * @param {() => api.RecordingInFull} recording
 * @param {() => void} before called when it is deleted, before the page goes
 */
export function offerDeletion(recording, before) {
  const question = find('question', HTMLDialogElement);
  const trouble = find('question-trouble', HTMLElement);
  const really = find('really', HTMLButtonElement);
  find('delete', HTMLButtonElement).addEventListener('click', () => {
    const { duration, people, tracks } = recording();
    const whose = people.length > 0 ? ` with ${people.join(', ')}` : '';
    write(find('question-text', HTMLElement), `${clock(duration)}${whose}, in ${count(tracks.length, 'track')}. It is gone for everyone, and cannot be brought back.`);
    say(trouble, '');
    question.showModal();
  });
  find('stay', HTMLButtonElement).addEventListener('click', () => question.close());
  really.addEventListener('click', async () => {
    really.disabled = true;
    try {
      await api.remove(recording().id);
      before();
      location.assign('/');
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      say(trouble, error.message);
      really.disabled = false;
    }
  });
}

/** Says whether it can be deleted now. @param {boolean} ended */
export function allowDeletion(ended) {
  find('delete', HTMLButtonElement).disabled = !ended;
  write(find('delete-hint', HTMLElement), ended ? '' : 'It can be deleted when it has ended.');
}
