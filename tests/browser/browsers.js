// Debian's Chromium and Firefox, with a microphone that is not there, and one way to drive pages in both.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';

import { installEar, installMouth } from './ear.js';

/** How long a browser may take for anything, in ms. Only a failure ever takes that long. */
const PATIENCE = 60_000;

/** @typedef {'Tab' | 'Enter' | 'Space' | 'Escape' | 'ArrowLeft' | 'ArrowRight' | 'Home' | 'm' | 'b' | '0'} Key */

/** A page of either browser, as far as the tests drive it. */
export class Page {
  /** What went wrong in the page. @type {string[]} */
  errors = [];

  /**
   * @param {import('playwright-core').Page | import('puppeteer-core').Page} driver
   * @param {() => Promise<void>} close
   */
  constructor(driver, close) {
    this.driver = driver;
    this.close = close;
    const listen = /** @type {(event: string, listener: (it: any) => void) => void} */ (driver.on.bind(driver));
    listen('pageerror', (error) => this.errors.push(String(error)));
    listen('console', (message) => message.type() === 'error' && this.errors.push(message.text()));
  }

  /** @param {string} address */
  async open(address) {
    await this.driver.goto(address, { waitUntil: 'load', timeout: PATIENCE });
  }

  /** Clicks an element that is shown and enabled. @param {string} selector */
  async click(selector) {
    await this.until(`${selector} can be clicked`, (it) => {
      const element = /** @type {HTMLButtonElement | null} */ (document.querySelector(it));
      return element !== null && element.getClientRects().length > 0 && !element.disabled && element.getAttribute('aria-disabled') !== 'true';
    }, selector);
    await this.driver.click(selector);
  }

  /** Writes into a field, over what is there. @param {string} selector @param {string} text */
  async write(selector, text) {
    await this.click(selector);
    await this.run((it) => /** @type {HTMLInputElement} */ (document.querySelector(it)).select(), selector);
    await this.driver.keyboard.type(text);
  }

  /** @param {Key} key */
  async press(key) {
    await this.driver.keyboard.press(driven(key));
  }

  /** Presses a key and keeps it down, until `letGo`. @param {Key} key */
  async hold(key) {
    await this.driver.keyboard.down(driven(key));
  }

  /** @param {Key} key */
  async letGo(key) {
    await this.driver.keyboard.up(driven(key));
  }

  /**
   * Runs a function in the page.
   *
   * @template Answer, Argument
   * @param {(argument: Argument) => Answer | Promise<Answer>} action
   * @param {Argument} [argument]
   * @returns {Promise<Answer>}
   */
  async run(action, argument) {
    return /** @type {any} */ (this.driver).evaluate(action, argument);
  }

  /** Keeps a picture of the whole page. @param {string} file a PNG */
  async shoot(file) {
    await this.driver.screenshot({ path: /** @type {`${string}.png`} */ (file), fullPage: true });
  }

  /** The text of an element that is shown; nothing where there is none. @param {string} selector */
  async text(selector) {
    return this.run((it) => /** @type {HTMLElement | null} */ (document.querySelector(it))?.innerText ?? '', selector);
  }

  /**
   * Waits until something holds in the page.
   *
   * @template Argument
   * @param {string} what said where it never does
   * @param {(argument: Argument) => unknown} condition
   * @param {Argument} [argument]
   */
  async until(what, condition, argument) {
    const end = Date.now() + PATIENCE;
    // While a page goes to another there is nothing to ask.
    const holds = () => this.run(condition, argument).catch((error) => {
      if (!/context was destroyed|navigat/i.test(String(error))) throw error;
    });
    while (!(await holds())) {
      if (Date.now() > end) throw new Error(`never: ${what}\n${await this.text('body')}\n${this.errors.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Waits until an element's text matches. @param {string} selector @param {RegExp} pattern */
  async shows(selector, pattern) {
    await this.until(`${selector} shows ${pattern}`, ([it, source]) => {
      const element = /** @type {HTMLElement | null} */ (document.querySelector(it ?? ''));
      return element !== null && new RegExp(source ?? '', 'i').test(element.innerText);
    }, [selector, pattern.source]);
  }
}

/** A key under the one name of Space that both drivers know. @param {Key} key */
function driven(key) {
  return key === 'Space' ? ' ' : key;
}

/**
 * @typedef {'fake' | 'denied' | 'none'} Microphone one that is not there, none that may be used, none at all
 *
 * @typedef {object} Browser
 * @property {(options?: { width?: number, height?: number, dark?: boolean, tone?: number, ear?: boolean, before?: () => void }) => Promise<Page>} page
 *   a page with a profile of its own, whose microphone may be a tone, in Hz; without an `ear` nothing of what it plays is measured, which
 *   costs something for each sound that it starts; `before` runs in it before its own code
 * @property {() => Promise<void>} closePages those that a failed test has left open, so that the next one has quiet
 * @property {() => Promise<void>} close
 */

/** What only Chromium's driver has. @param {Page} page */
export const driverOf = (page) => /** @type {import('playwright-core').Page} */ (page.driver);

/**
 * @param {{ microphone?: Microphone, host?: string, autoplay?: boolean }} [options] `host` is a name under
 *   which this machine is found too; without `autoplay` a page sounds only after a click, as in most people's browsers
 * @returns {Promise<Browser>}
 */
export async function startChromium({ microphone = 'fake', host, autoplay = true } = {}) {
  const args = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update'];
  args.push('--disable-sync', `--autoplay-policy=${autoplay ? 'no-user-gesture-required' : 'document-user-activation-required'}`);
  if (host) args.push(`--host-resolver-rules=MAP ${host} 127.0.0.1`);
  if (microphone !== 'none') args.push('--use-fake-device-for-media-stream');
  args.push(`--use-fake-ui-for-media-stream${microphone === 'denied' ? '=deny' : ''}`);
  const browser = await chromium.launch({ executablePath: program('chromium'), args, timeout: PATIENCE });
  return {
    closePages: async () => void (await Promise.all(browser.contexts().map((context) => context.close()))),
    page: async ({ width = 1280, height = 800, dark = false, tone, ear = true, before } = {}) => {
      const viewport = { width, height };
      const context = await browser.newContext({ viewport, colorScheme: dark ? 'dark' : 'light', locale: 'en-GB' });
      const page = await context.newPage();
      if (ear) await page.addInitScript(installEar);
      if (tone) await page.addInitScript(installMouth, tone);
      if (before) await page.addInitScript(before);
      return new Page(page, () => context.close());
    },
    close: () => browser.close(),
  };
}

/**
 * Firefox fails to play where there is no sound device, so it gets one: a sink that nobody hears.
 *
 * @param {{ microphone?: Microphone }} [options]
 * @returns {Promise<Browser>}
 */
export async function startFirefox({ microphone = 'fake' } = {}) {
  const sound = await startSound();
  const browser = await launchFirefox(sound.server, microphone).catch(async (error) => {
    await sound.stop();
    throw error;
  });
  const first = browser.defaultBrowserContext();
  return {
    closePages: async () => {
      const others = browser.browserContexts().filter((context) => context !== first);
      await Promise.all(others.map((context) => context.close()));
    },
    page: async ({ tone, ear = true, before } = {}) => {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      if (ear) await page.evaluateOnNewDocument(installEar);
      if (tone) await page.evaluateOnNewDocument(installMouth, tone);
      if (before) await page.evaluateOnNewDocument(before);
      return new Page(page, () => context.close());
    },
    close: async () => {
      try {
        await browser.close();
      } finally {
        await sound.stop();
      }
    },
  };
}

/** @param {string} sound PulseAudio's address @param {Microphone} microphone */
async function launchFirefox(sound, microphone) {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: program('firefox-esr'),
    headless: true,
    timeout: PATIENCE,
    env: { ...process.env, PULSE_SERVER: sound },
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      // Without permission Firefox asks, or refuses by itself; of this name there is no microphone.
      'media.navigator.permission.disabled': microphone !== 'denied',
      ...(microphone === 'denied' ? { 'permissions.default.microphone': 2 } : {}),
      ...(microphone === 'none' ? { 'media.audio_loopback_dev': 'none' } : {}),
      'media.autoplay.default': 0,
      'media.autoplay.blocking_policy': 0,
    },
  });
}

/** PulseAudio with a null sink, on a socket of its own. */
async function startSound() {
  const folder = await mkdtemp(join(tmpdir(), 'roomtone-sound-'));
  const socket = join(folder, 'socket');
  const modules = ['module-null-sink', `module-native-protocol-unix auth-anonymous=1 socket=${socket}`];
  const load = modules.flatMap((module) => ['--load', module]);
  const pulse = spawn(program('pulseaudio'), ['-n', '--exit-idle-time=-1', '--use-pid-file=no', '--daemonize=no', ...load], {
    env: { ...process.env, XDG_RUNTIME_DIR: folder, HOME: folder },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  pulse.stderr.on('data', (data) => (output += data));
  const ended = once(pulse, 'exit');
  const stop = async () => {
    pulse.kill();
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  for (const end = Date.now() + PATIENCE; !existsSync(socket); ) {
    if (pulse.exitCode !== null || Date.now() > end) {
      await stop();
      throw new Error(`pulseaudio does not serve:\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { server: `unix:${socket}`, stop };
}

/** @param {string} name */
function program(name) {
  const path = `/usr/bin/${name}`;
  if (!existsSync(path)) throw new Error(`${path} is missing; tests/run installs it`);
  return path;
}
