// The language of the page. There is one so far.

export { en as t } from './en';
