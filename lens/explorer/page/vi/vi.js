// The page in Vietnamese: of each English text of the code and of index.html what it is, by the part of the page; what comes
// with the data is in given.js.
//
// Words that a learner will meet in English stand in brackets where they come first. {names} and tags stay as they are.

import { LIVE } from "./live.js";
import { MAPS } from "./maps.js";
import { PAGE } from "./page.js";
import { STORY } from "./story.js";
import { SWAP } from "./swap.js";
import { GLOSSARY } from "./terms.js";
import { WALK } from "./walk.js";

export const VIETNAMESE = { ...PAGE, ...MAPS, ...GLOSSARY, ...STORY, ...LIVE, ...SWAP, ...WALK };
