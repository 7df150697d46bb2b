"""The words that invented home pages are made of: tables, and no code.

Nobody and nothing here is meant to exist. `{slots}` are filled by `writer.py` and `sections.py`;
in sentences, `{I}`, `{me}`, `{my}`, `{am}`, `{have}` and `{s}` follow the page's voice (first or
third person).
Sentences have no final full stop: whoever joins them adds it.
"""

GIVEN_NAMES = [
    "Ada", "Adisa", "Agnes", "Alba", "Amara", "Anselm", "Anouk", "Aruna", "Astrid", "Bao",
    "Beatrix", "Benedek", "Bruno", "Carys", "Cato", "Chandra", "Chiara", "Cyril", "Dagny",
    "Darius", "Delphine", "Eamon", "Edda", "Elif", "Emeka", "Enzo", "Esme", "Farid", "Fenna",
    "Flora", "Gaspar", "Greta", "Hana", "Haruki", "Hedda", "Idris", "Ilse", "Imani", "Ines",
    "Ingo", "Isolde", "Ivo", "Jamila", "Jarek", "Joost", "Kamala", "Kasia", "Kenji", "Lajos",
    "Leonie", "Lioba", "Lucan", "Mads", "Maeve", "Malik", "Marit", "Milos", "Mina", "Nadia",
    "Nils", "Noor", "Odile", "Olga", "Omar", "Orla", "Otto", "Paolo", "Petra", "Priya",
    "Quentin", "Rafaela", "Ravi", "Renske", "Rosa", "Ruben", "Sadia", "Sanna", "Selim",
    "Signe", "Silvan", "Sora", "Tadeo", "Tamsin", "Tariq", "Thea", "Tomas", "Ulla", "Una",
    "Viggo", "Wanda", "Xenia", "Yara", "Yusuf", "Zane", "Zora",
]  # fmt: skip

SURNAME_HEADS = [
    "Adj", "Alm", "Ambr", "Ask", "Bald", "Bern", "Brand", "Cald", "Corv", "Dal", "Darr", "Eck",
    "Elst", "Fal", "Fenn", "Gald", "Garr", "Hald", "Harg", "Hov", "Ild", "Jarn", "Kal", "Kest",
    "Kov", "Lamb", "Lind", "Mald", "Marr", "Mbal", "Nakar", "Nord", "Okon", "Orl", "Pell",
    "Quill", "Ram", "Rav", "Roth", "Sald", "Sand", "Sor", "Tamb", "Tev", "Thorn", "Umb",
    "Vald", "Varn", "Vask", "Vel", "Wend", "Yam", "Zal", "Zim",
]  # fmt: skip

SURNAME_TAILS = [
    "ade", "arini", "arov", "auer", "berg", "bury", "dahl", "ecki", "ekker", "elli", "endi",
    "er", "feldt", "holt", "iano", "ic", "idis", "igan", "ikawa", "ineau", "ing", "ira",
    "iski", "mann", "mora", "ner", "ogwu", "olo", "oss", "otti", "ovich", "ström", "uchi",
    "unde", "us", "ven", "wick", "wood", "zadeh",
]  # fmt: skip

PLACE_HEADS = [
    "Al", "Ard", "Bel", "Bran", "Car", "Cor", "Dun", "East", "El", "Fal", "Gar", "Hal", "Hol",
    "Ives", "Kes", "Kil", "Lan", "Lor", "Mar", "Mel", "Mor", "Nor", "North", "Ost", "Pel",
    "Quin", "Rad", "Rov", "Sar", "Sel", "South", "Tal", "Tem", "Und", "Vel", "Ver", "Wes",
    "Win", "Yar", "Zel",
]  # fmt: skip

PLACE_TAILS = [
    "ava", "borough", "bridge", "bruck", "by", "combe", "esti", "ford", "gate", "grad", "ham",
    "haven", "heim", "holm", "ia", "ica", "ingen", "keep", "low", "mere", "mora", "mouth",
    "ona", "opol", "ow", "port", "stad", "stein", "ton", "ula", "ville", "wick",
]  # fmt: skip

COUNTRIES = [
    "Aldoria", "Brevonia", "Calvera", "Dorvia", "Estmark", "Halvia", "Ivoria", "Kestria",
    "Lomaria", "Meridonia", "Norvania", "Ostria", "Pellonia", "Ruvania", "Solveria",
    "Tarnland", "Umbria-Sul", "Valdonia", "Westmark", "Zemboria",
]  # fmt: skip

FIELDS: dict[str, list[str]] = {
    "Soil Physics": [
        "water flow in frozen ground", "root uptake models", "soil compaction",
        "field-scale infiltration", "gas transport in peat",
    ],
    "Plant Ecology": [
        "alpine pollination", "seed dormancy", "grassland restoration",
        "plant-fungus networks", "invasive shrubs of river banks",
    ],
    "Medieval History": [
        "guild law", "monastic account books", "plague ordinances",
        "trade routes of the northern seas", "women's wills",
    ],
    "Computational Linguistics": [
        "parsing of historical texts", "speech of bilingual children",
        "entity recognition in archives", "dialogue systems",
        "morphology of low-resource languages",
    ],
    "Civil Engineering": [
        "timber bridges", "fatigue of welded joints", "seismic retrofitting",
        "recycled concrete", "monitoring of old dams",
    ],
    "Marine Biology": [
        "deep-sea sponges", "larval dispersal", "coral bleaching", "acoustics of whales",
        "food webs of kelp forests",
    ],
    "Organic Chemistry": [
        "catalysis with iron complexes", "synthesis of alkaloids", "flow reactors",
        "photoredox methods", "chiral ligands",
    ],
    "Astrophysics": [
        "accretion discs", "variable stars in globular clusters",
        "dust in protoplanetary discs", "radio surveys of the southern sky", "stellar winds",
    ],
    "Labour Economics": [
        "minimum wages", "migration of nurses", "apprenticeship systems", "the gender pay gap",
        "automation and rural jobs",
    ],
    "Musicology": [
        "early keyboard music", "opera censorship", "folk song collections",
        "notation of lute tablatures", "sound archives",
    ],
    "Public Health": [
        "vaccination in remote districts", "air pollution and asthma", "school meals",
        "screening programmes", "health of seasonal workers",
    ],
    "Number Theory": [
        "Diophantine approximation", "modular forms", "sieve methods",
        "zeta functions of curves", "computational class field theory",
    ],
    "Machine Learning": [
        "sparse attention", "learning from few labels", "calibration of classifiers",
        "graph neural networks", "privacy-preserving training",
    ],
    "Archaeology": [
        "Bronze Age pottery", "burial mounds", "underwater survey methods",
        "obsidian sourcing", "early metallurgy",
    ],
    "Volcanology": [
        "lava dome collapse", "ash dispersal", "magma storage beneath islands",
        "infrasound monitoring", "volcanic lightning",
    ],
    "Comparative Law": [
        "consumer contracts", "constitutional courts", "water rights",
        "law of mixed jurisdictions", "evidence in family trials",
    ],
    "Neuroscience": [
        "sleep and memory", "motor control of birdsong", "pain pathways",
        "plasticity of the adult cortex", "imaging of glial cells",
    ],
    "Veterinary Medicine": [
        "lameness in dairy cattle", "parasites of sheep", "equine surgery",
        "antibiotic resistance on farms", "poultry welfare",
    ],
    "Philosophy": [
        "theories of explanation", "Stoic ethics", "philosophy of measurement",
        "personal identity", "the logic of questions",
    ],
    "Materials Science": [
        "battery electrolytes", "thin films of oxides", "self-healing polymers",
        "corrosion of magnesium alloys", "biodegradable composites",
    ],
    "Meteorology": [
        "mountain waves", "nowcasting of hail", "fog at airports",
        "seasonal prediction of monsoons", "boundary-layer turbulence",
    ],
    "Education Research": [
        "reading in the early years", "rural schools", "assessment feedback",
        "teacher induction", "mathematics anxiety",
    ],
    "Human Geography": [
        "shrinking cities", "maps and colonial borders", "street markets",
        "housing cooperatives", "mobility of the elderly",
    ],
    "Robotics": [
        "grasping of soft objects", "legged locomotion", "swarm coordination",
        "assistive exoskeletons", "underwater manipulation",
    ],
    "Theatre Studies": [
        "puppet theatre", "stage lighting since 1880", "censorship of comedies",
        "touring companies", "community performance",
    ],
    "Epidemiology": [
        "tick-borne disease", "cohort studies of miners", "contact tracing",
        "influenza in care homes", "spatial models of malaria",
    ],
    "Operations Research": [
        "ambulance location", "timetabling", "stochastic inventory",
        "vehicle routing with drones", "auction design",
    ],
    "Paleontology": [
        "trilobite eyes", "amber inclusions", "early tetrapods", "mass extinctions",
        "growth rings of fossil shells",
    ],
    "Nursing Science": [
        "palliative care at home", "night shifts", "wound healing",
        "family participation in wards", "digital care records",
    ],
    "Photonics": [
        "frequency combs", "fibre sensors", "quantum dots", "metasurfaces",
        "ultrafast lasers for eye surgery",
    ],
}  # fmt: skip

INSTITUTIONS = [
    "University of {place}", "University of {place}", "{place} University",
    "{place} State University", "{place} Institute of Technology",
    "Technical University of {place}", "{surname} University", "{place} Polytechnic",
    "National University of {country}", "{surname} College", "Royal Institute of {place}",
    "University College {place}", "Catholic University of {place}",
    "{place} School of Advanced Studies",
]  # fmt: skip

DEPARTMENTS = [
    "Department of {field}", "Department of {field}", "School of {field}",
    "Faculty of {field}", "Institute for {field}", "Centre for {field}", "Division of {field}",
    "{surname} Laboratory", "Section of {field}", "Research Unit {field}",
]  # fmt: skip

EMPLOYERS = [
    "{place} Museum of Natural History", "{surname} & {other} Consultants",
    "National Archive of {country}", "{country} Academy of Sciences", "{place} City Council",
    "{surname} Foundation", "{place} General Hospital", "{surname} Systems",
    "{country} Survey Office", "{place} Observatory", "Ministry of Research of {country}",
    "{place} Science Park",
]  # fmt: skip

RANKS = [
    [
        "Research Assistant", "Doctoral Researcher", "Teaching Assistant", "Junior Researcher",
        "Graduate Assistant", "Field Assistant",
    ],
    [
        "Postdoctoral Fellow", "Research Associate", "Postdoctoral Researcher",
        "Research Fellow", "Visiting Scholar", "Scientific Officer", "Analyst", "Curator",
    ],
    [
        "Lecturer", "Assistant Professor", "Junior Group Leader", "Lecturer",
        "Staff Scientist", "Senior Research Fellow", "Consultant",
    ],
    [
        "Senior Lecturer", "Associate Professor", "Reader", "Docent", "Principal Scientist",
        "Head of Section",
    ],
    [
        "Professor", "Full Professor", "Chair Professor", "Director of Research",
        "Professor and Dean", "Distinguished Professor", "Head of Department",
    ],
]  # fmt: skip

DEGREES = [
    [
        "BSc in {subject}", "B.Sc. {subject}", "Bachelor of Science in {subject}",
        "BA in {subject}", "B.A. ({subject})", "Bachelor's degree in {subject}",
        "first degree in {subject}",
    ],
    [
        "MSc in {subject}", "M.Sc. {subject}", "Master of Science in {subject}",
        "MA in {subject}", "Diploma in {subject}", "Master's degree in {subject}",
        "MPhil, {subject}",
    ],
    [
        "PhD in {subject}", "Ph.D. ({subject})", "D.Phil. in {subject}",
        "doctorate in {subject}", "PhD, {subject}", "Dr. rer. nat. in {subject}",
        "doctoral degree in {subject}", "PhD",
    ],
]  # fmt: skip

AWARDS = [
    "{surname} Medal", "{surname} Prize for {field}", "{place} Prize",
    "Best Paper Award of the {place} Conference on {field}",
    "Early Career Award of the {country} Academy of Sciences",
    "Fellowship of the {country} Academy of Sciences",
    "honorary doctorate of the University of {place}", "{surname} Teaching Award",
    "Golden Compass of the {country} Society for {field}", "{surname} Lectureship",
    "Young Scientist Prize of {country}", "{surname}-{other} Fellowship",
    "Order of Merit of {country}", "Dissertation Prize of the {surname} Foundation",
    "Lifetime Achievement Award for {field}",
]  # fmt: skip

DUTIES = [
    "taught courses on {topic}", "led a group of {n} working on {topic}",
    "responsible for the laboratory and its {n} technicians", "set up the archive of {topic}",
    "worked with {person} on {topic}", "project on {topic}",
    "coordinated a network on {topic}", "supervised {n} doctoral students",
    "designed the degree programme in {field}", "studied {topic} in the field",
    "maternity cover", "part-time",
]  # fmt: skip

TITLES_OF_WORKS = [
    "{Topic}: a survey", "On {topic}", "New methods for {topic}", "{Topic} and {topic2}",
    "What do we know about {topic}?", "Towards a theory of {topic}", "{Topic} revisited",
    "A field study of {topic} in {country}", "Measuring {topic}",
    "{Topic}: evidence from {place}", "The limits of {topic}", "Ten years of {topic}",
    "Notes on {topic}", "{Topic} in {country}, 1880-1950", "An open data set for {topic}",
]  # fmt: skip

VENUES = [
    "Journal of {field}", "Annals of {field}", "{country} Review of {field}",
    "Proceedings of the {place} Symposium on {field}", "{field} Letters",
    "Transactions on {field}", "Quarterly Bulletin of {field}", "{place} University Press",
    "Archive for {field}",
]  # fmt: skip

CITATIONS = [
    "{authors} ({year}). {title}. {venue}, {volume}, {pages}.",
    "{authors}: {title}. {venue} {volume} ({year}), pp. {pages}.",
    "{authors}, \"{title}\", {venue}, {year}.", "{title}. {authors}. {venue}, {year}.",
    "{title}, {venue} {volume}:{pages}, {year} (with {coauthor})", "{title} ({venue}, {year})",
]  # fmt: skip

COURSES = [
    "Introduction to {field}", "Advanced {field}", "Seminar: {topic}", "{field} for engineers",
    "Reading group on {topic}", "Laboratory class in {field}", "Field trip: {topic}",
    "Academic writing",
]  # fmt: skip

STREETS = [
    "Harbour Street", "Mill Lane", "Observatory Road", "Elm Avenue", "Chapel Row",
    "Station Square", "College Walk", "River Terrace", "Linden Allee", "Market Hill",
]  # fmt: skip

MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
]  # fmt: skip

# Headings. Some words serve several sections on purpose.
HEADINGS = {
    "about": [
        "About", "About me", "Biography", "Profile", "Short biography", "In brief",
        "Curriculum vitae", "Background", "Welcome", "Personal",
    ],
    "research_interests": [
        "Research interests", "Research", "Interests", "Areas of work", "Topics",
        "What {I} work{s} on", "Current themes", "Fields of interest", "Keywords",
    ],
    "education": [
        "Education", "Academic background", "Studies", "Qualifications", "Degrees",
        "Background", "Training", "Curriculum vitae", "University education", "Career",
    ],
    "work_history": [
        "Employment", "Career", "Professional experience", "Positions", "Appointments",
        "Work history", "Academic career", "Background", "Curriculum vitae", "Experience",
        "Positions held", "Timeline",
    ],
    "awards": [
        "Awards", "Honours", "Honours and awards", "Prizes", "Distinctions", "Recognition",
        "Awards and fellowships", "Selected honours",
    ],
    "publications": [
        "Publications", "Selected publications", "Recent papers", "Papers",
        "Books and articles", "Writings", "Selected works", "Bibliography", "Recent work",
    ],
    "contact": [
        "Contact", "How to reach {me}", "Address", "Contact details", "Office", "Get in touch",
    ],
    "people": [
        "Group", "People", "Team", "Current members", "Students and staff", "Alumni",
        "Former members", "Collaborators",
    ],
    "news": [
        "News", "Announcements", "What is new", "Diary", "Recent events",
    ],
    "teaching": [
        "Teaching", "Courses", "Classes this year", "Lectures", "Teaching and supervision",
    ],
    "service": [
        "Service", "Professional activities", "Memberships", "Editorial work",
        "Other activities",
    ],
    "reading": [
        "Recommended reading", "Useful books", "Background reading", "Course literature",
        "Publications of the group", "Papers we liked",
    ],
    "thanks": [
        "Acknowledgements", "Thanks", "Support",
    ],
    "institution": [
        "About the institute", "The department", "Where we are", "History of the department",
    ],
    "office": [
        "Office hours", "Appointments", "Secretary", "Administration", "Visitors",
    ],
    "funding": [
        "Funding", "Projects", "Grants", "Current projects",
    ],
}  # fmt: skip

# Introductions: {title} and {affiliation} are the owner's present ones.
INTRODUCTIONS = [
    "{name} is {title} at the {affiliation}", "{I} {am} {title} at the {affiliation}",
    "{name} works as {title} in the {affiliation}", "At the {affiliation}, {name} is {title}",
    "{My} name is {name} and {I} {am} {title} at the {affiliation}",
    "{name}, {title}, {affiliation}",
    "Since {start}, {name} has been {title} at the {affiliation}",
    "{I} joined the {affiliation} in {start}, where {I} {am} now {title}",
]  # fmt: skip

INTEREST_SENTENCES = [
    "{My} research is about {interests}", "{I} {am} interested in {interests}",
    "{My} work concerns {interests}", "{My} interests include {interests}",
    "{I} work{s} on {interests}", "Among {my} main subjects are {interests}",
    "Over the years {I} {have} turned to {interests}", "{My} group studies {interests}",
]  # fmt: skip

BIRTH_SENTENCES = [
    "{I} was born {birth}", "Born {birth}, {I} grew up in {town}",
    "{I} was born {birth} and went to school in {town}", "{My} life began {birth}",
    "Born {birth}, the youngest of {n} children",
]  # fmt: skip

DEGREE_SENTENCES = [
    "{I} received {my} {degree} from the {school} in {year}",
    "{I} obtained a {degree} from the {school} ({year})",
    "{I} studied at the {school}, where {I} took a {degree} in {year}",
    "In {year} {I} completed a {degree} at the {school}",
    "{I} earned {my} {degree} at the {school} with a thesis on {topic}",
    "A {degree} followed at the {school} in {year}",
    "{I} hold{s} a {degree} ({school}, {year})",
    "{I} defended {my} thesis on {topic} in {year} and was awarded the {degree} by the {school}",
]  # fmt: skip

DEGREE_LINES = [
    "{year}: {degree}, {school}", "{degree}, {school}, {year}", "{degree} ({school}, {year})",
    "{year} {degree}, {school}", "{school}: {degree}, {year}", "{degree} | {school} | {year}",
    "{degree}, {year}\n{school}",
]  # fmt: skip

DEGREE_EXTRAS = [
    "Thesis: {topic}", "thesis on {topic}", "Supervisor: {person}", "with distinction",
    "advisor {person}", "Dissertation: \"{Topic}\"",
]  # fmt: skip

POST_SENTENCES = [
    "From {start} to {end} {I} was {title} at the {employer}",
    "{I} moved to the {employer} as {title} ({years})",
    "In {start} {I} became {title} at the {employer}",
    "Between {start} and {end} {I} worked at the {employer} as {title}, where {I} {duty}",
    "{I} spent {n} years as {title} at the {employer}",
    "{I} began as {title} at the {employer} in {start}",
    "Another post, as {title} at the {employer}, lasted until {end}",
    "{My} work at the {employer}, as {title}, dates from those years ({years})",
]  # fmt: skip

CURRENT_POST_SENTENCES = [
    "Since {start} {I} {have} been {title} at the {employer}",
    "In {start} {I} was appointed {title} at the {employer}, where {I} {have} stayed",
    "{I} {am} now {title} at the {employer}",
]  # fmt: skip

POST_LINES = [
    "{years}: {title}, {employer}", "{title}, {employer}, {years}",
    "{title}, {employer} ({years})", "{years} {title}, {employer}",
    "{years} | {title} | {employer}", "{title} at the {employer}, {years}",
    "{employer}: {title}, {years}", "{title}\n{employer}\n{years}",
]  # fmt: skip

AWARD_SENTENCES = [
    "{I} received the {award}", "{I} was given the {award}",
    "In recognition of {my} work on {topic} {I} was awarded the {award}",
    "{My} book on {topic} won the {award}", "{I} {have} also held the {award}",
    "{My} honours include the {award}", "{I} shared the {award} with {person}",
]  # fmt: skip

AWARD_LINES = [
    "{award}, {year}", "{award} ({year})", "{year}: {award}", "{award}", "{year} {award}",
]  # fmt: skip

BIRTH_FACTS = [
    "Born: {birth}", "Date and place of birth: {birth}", "Birth: {birth}", "* {birth}",
]  # fmt: skip

CONTACT_SENTENCES = [
    "You can write to {me} at {contact}", "{My} address is {contact}",
    "Please contact {me} at {contact}", "Questions are welcome: {contact}",
    "{I} can be reached under {contact}",
]  # fmt: skip

# What is said of other people, places and times: nothing in here is labelled.
ASIDES = [
    "{person}, Professor of {field} at the {institution}, was {my} teacher and friend",
    "{My} student {person} won the {award} in {year}",
    "{My} colleague {person} received {an_other_degree} from the {institution} in {year}",
    "The {institution} was founded in {old_year} and has {n} faculties",
    "{I} gave a lecture on {topic} at the {institution} in {month} {year}",
    "{My} brother {person} is a lecturer at the {institution}",
    "{person} ({year}-{later}) led the laboratory before {me}",
    "{My} grandmother, born in {old_year} in {town}, was a miller",
    "The conference on {topic} took place in {town} in {month} {year}",
    "{I} often work{s} with the {employer} and with {person} of the {institution}",
    "The {award} was given this year to {person}, whom {I} nominated",
    "Outside the university {I} sing{s} in the choir of {town}",
    "{person} was Postdoctoral Fellow in {my} group from {year} to {later}",
    "The project on {topic} is paid for by the {employer} until {later}",
    "{I} thank{s} {person} and the {institution} for many good talks about {topic}",
    "In {town}, {my} home for some years now, {I} keep{s} bees",
]  # fmt: skip

PEOPLE_LINES = [
    "{person}, {rank}, {institution}, {year}-{later}", "{person} ({rank}, since {year})",
    "{person}, {other_degree} {year}, now {rank} at the {institution}", "{person}: {topic}",
    "{person}, {rank}, works on {topic}", "{year}-{later}: {person}, {rank}",
]  # fmt: skip

NEWS_LINES = [
    "{day} {month} {year}: {person} has won the {award}.",
    "{month} {year}: talk on {topic} at the {institution}.",
    "{day} {month} {year}: {person} joins us as {rank}.",
    "{month} {year} - new paper by {person} in {venue}.",
    "{year}: workshop on {topic} in {town}, with {person} ({institution}).",
    "{month} {year}: {person} passed the {other_degree} examination. Congratulations!",
]  # fmt: skip

SERVICE_LINES = [
    "Editor of {venue}, {year}-{later}", "Referee for {venue}",
    "Member of the {country} Society for {field} since {year}",
    "Programme committee, conference on {topic}, {town} {year}",
    "External examiner, {institution}, {year}", "Jury of the {award}, {year}-{later}",
]  # fmt: skip

FUNDING_LINES = [
    "{Topic} ({employer}, {year}-{later})", "Grant of the {employer} for {topic}, {year}",
    "{year}-{later}: {topic}, with {person} of the {institution}",
    "{Topic}. Partners: {institution}; {employer}.",
]  # fmt: skip

OFFICE_LINES = [
    "Appointments are made by {person}, {mail}, phone {phone}.",
    "Please write to the secretary, {person} ({mail}).",
    "Press office of the university: {mail}, {phone}.",
    "Visitors find us at {street} {n}, {town}; ask for {person}.",
]  # fmt: skip

CLOSINGS = [
    "Last updated {day} {month} {year}", "Page maintained by {person}",
    "(c) {year} {institution}", "This page was last changed in {month} {year} by {person}.",
    "Back to the pages of the {institution}",
]  # fmt: skip
