"""Invented institutes, projects, figures and materials, each in Korean and English: nothing here names anything real on purpose.

`World(rng)` makes names and values; a value is a pair (Korean, English). Roughly every third word of a name or a material is
made up from syllables, so that a reader of these texts has to copy what it sees and cannot know it beforehand.
"""

import functools
import pathlib

from korean import latin

TERMS = pathlib.Path(__file__).parent.parent / "embedded" / "terms.tsv"
SYLLABLES = "가 나 다 라 마 바 사 아 자 차 카 타 파 하 고 노 도 로 모 보 소 오 조 초 코 토 포 호 구 누 두 루 무 부 수 우 주 추 기 니 디 리 미 비 시 이 지 치 키 티 피 히 강 난 단 란 만 반 산 안 장 찬 탄 한 건 년 던 런 선 언 전 천 경 명 병 성 영 정 청 평 형 곤 논 돈 론 본 손 온 존 공 농 동 롱 몽 송 옹 종 총 홍 군 문 분 순 운 준 훈 궁 둥 룡 붕 승 응 등 름 솔 빛 별 달 들 샘 울 결 꽃 늘 새 해 배 대 재 태 래 세 제 네 레 메 베".split()
ONSETS = "b br c cl d dr f fl g gr h j k l m n p pl pr qu r s sh sk st t th tr v w z".split()
NUCLEI = "a e i o u a e i o ai ea ee oo ou".split()
CODAS = "b ck d g l ll m n nd ng nt p r rd rn s sk st t th x v".split()
ORGANISATIONS = [("연구원", "Institute"), ("연구소", "Research Centre"), ("대학교", "University"), ("기술원", "Institute of Technology"), ("소재", "Materials"),
                 ("테크", "Tech"), ("산업", "Industries"), ("에너지", "Energy"), ("바이오", "Bio"), ("정밀", "Precision"), ("시스템", "Systems"), ("재단", "Foundation")]
DEEDS = [("개발", "development of {t}"), ("최적화", "optimisation of {t}"), ("실증", "demonstration of {t}"), ("국산화", "domestic production of {t}"), ("수명 예측", "lifetime prediction of {t}"),
         ("양산 기술", "mass production of {t}"), ("성능 평가", "performance evaluation of {t}"), ("안전성 연구", "safety study of {t}"), ("표준화", "standardisation of {t}"), ("원가 절감", "cost reduction of {t}"),
         ("재활용", "recycling of {t}"), ("실시간 감시", "real-time monitoring of {t}"), ("설계", "design of {t}"), ("장기 시험", "long-term testing of {t}")]
MEASURES = [("회수율", "recovery rate", "%"), ("수율", "yield", "%"), ("효율", "efficiency", "%"), ("정확도", "accuracy", "%"), ("제거율", "removal rate", "%"), ("용량 유지율", "capacity retention", "%"),
            ("에너지 밀도", "energy density", "Wh/kg"), ("인장 강도", "tensile strength", "MPa"), ("두께", "thickness", "µm"), ("이온 전도도", "ionic conductivity", "mS/cm"), ("응답 시간", "response time", "ms"),
            ("소비 전력", "power consumption", "kW"), ("불량률", "defect rate", "%"), ("순도", "purity", "%"), ("수분 함량", "water content", "ppm"), ("측정 오차", "measurement error", "%"), ("처리량", "throughput", "kg"),
            ("소음", "noise level", "dB"), ("접합 강도", "bond strength", "N"), ("절연 저항", "insulation resistance", "MΩ"), ("탄성률", "elastic modulus", "GPa"), ("생산 속도", "line speed", "m/min"), ("검출 한계", "detection limit", "ppm"),
            ("열전도율", "thermal conductivity", "W/mK"), ("수명", "service life", "h"), ("투과도", "permeability", "L/m²h"), ("감도", "sensitivity", "mV"), ("공극률", "porosity", "vol%")]
PROCESSES = [("소결", "sintering"), ("열처리", "heat treatment"), ("건조", "drying"), ("코팅", "coating"), ("압착", "pressing"), ("세정", "cleaning"), ("침출", "leaching"), ("발효", "fermentation"), ("배양", "incubation"), ("경화", "curing"),
             ("증착", "deposition"), ("분쇄", "milling"), ("혼합", "mixing"), ("여과", "filtration"), ("추출", "extraction"), ("용접", "welding"), ("숙성", "ageing"), ("살균", "sterilisation")]
COUNTED = [("시료", "samples", "개"), ("시제품", "prototypes", "대"), ("모듈", "modules", "개"), ("특허", "patents", "건"), ("논문", "papers", "편"), ("센서", "sensors", "개"), ("배치", "batches", "개"), ("데이터 세트", "data sets", "건"), ("설문", "questionnaires", "부")]
EQUIPMENT = [("분광기", "spectrometer"), ("현미경", "microscope"), ("반응기", "reactor"), ("시험기", "tester"), ("가열로", "furnace"), ("펌프", "pump"), ("카메라", "camera"), ("분석기", "analyser"), ("챔버", "chamber"), ("압연기", "rolling mill")]
FLAWS = [("불균일", "unevenness of {t}"), ("부족", "a shortage of {t}"), ("오염", "contamination by {t}"), ("누설", "a leak of {t}"), ("과열", "overheating of {t}"), ("부식", "corrosion of {t}"), ("균열", "cracks in {t}"), ("침전", "settling of {t}"),
         ("열화", "degradation of {t}"), ("높은 원가", "the high cost of {t}"), ("공급 지연", "late delivery of {t}"), ("특허 문제", "a patent dispute over {t}")]
GAINS = [("새 공정", "a new process for {t}"), ("시험 표준", "a test standard for {t}"), ("설계 지침", "design rules for {t}"), ("공개 데이터", "open data on {t}"), ("시범 설비", "a pilot plant for {t}"), ("예측 모형", "a predictive model of {t}"), ("특허 다섯 건", "five patents on {t}")]
WANTS = [("비용을 줄이는 것", "reducing the cost of {t}"), ("수명을 늘리는 것", "extending the life of {t}"), ("공급망을 안정시키는 것", "securing the supply of {t}"), ("안전 기준을 마련하는 것", "setting safety limits for {t}"), ("품질을 실시간으로 살피는 것", "watching the quality of {t} in real time"),
         ("수입을 대체하는 것", "replacing imports of {t}"), ("배출을 줄이는 것", "cutting emissions of {t}")]
MONTHS = "January February March April May June July August September October November December".split()


@functools.cache
def terms():
    """(Korean, English) nouns of the project's own list, one synonym each."""
    pairs = []
    for line in TERMS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            ko, en = (side.split("|")[0] for side in line.split("\t"))
            if not ko.endswith("다") and not en.startswith("to ") and len(ko) > 1:
                pairs.append((ko, en))
    return pairs


class World:
    def __init__(self, rng):
        self.rng = rng
        self.terms = terms()

    def name(self):
        """A made-up proper name: from Korean syllables, or from English-looking ones."""
        if self.rng.random() < 0.6:
            ko = "".join(self.rng.choice(SYLLABLES) for _ in range(self.rng.choice((2, 2, 2, 3))))
            return ko, latin(ko)
        en = "".join(self.rng.choice(ONSETS) + self.rng.choice(NUCLEI) for _ in range(self.rng.choice((1, 2)))) + self.rng.choice(CODAS)
        return en.capitalize(), en.capitalize()

    def term(self):
        """A technical term, now and then with a made-up word in it."""
        ko, en = self.rng.choice(self.terms)
        kind = self.rng.random()
        if kind < 0.35:
            name = self.name()
            return f"{name[0]} {ko}", f"{name[1]} {en}"
        if kind < 0.6:
            other = self.rng.choice(self.terms)
            return f"{other[0]} {ko}", f"{other[1]} {en}"
        return ko, en

    thing = term

    def organisation(self):
        ko, en = self.rng.choice(ORGANISATIONS)
        name = self.name()
        if self.rng.random() < 0.25:
            field = self.rng.choice(self.terms)
            return f"{name[0]}{field[0].replace(' ', '')}{ko}", f"{name[1]} {en} of {field[1].capitalize()}"
        return name[0] + (" " if name[0].isascii() else "") + ko, f"{name[1]} {en}"

    def project(self):
        ko, en = self.rng.choice(DEEDS)
        t = self.term()
        if self.rng.random() < 0.2:
            code = self.name()[1].upper()
            return f"{code} 과제", f"the {code} project"
        return f"{t[0]} {ko}" + self.rng.choice((" 과제", " 사업", "")), en.replace("{t}", t[1])

    def number(self, low=1, high=10_000):
        n = int(low * (high / low) ** self.rng.random())
        if n < 200 and self.rng.random() < 0.5:
            return f"{n}.{self.rng.randrange(10)}" + (str(self.rng.randrange(10)) if self.rng.random() < 0.2 else "")
        return f"{n:,}" if self.rng.random() < 0.7 else str(n)

    def money(self):
        n, kind = self.number(2, 9000), self.rng.randrange(6)
        whole = n.split(".")[0]
        return [(f"{whole}백만원", f"{whole} million KRW"), (f"{n}억 원", f"{n} hundred million won"), (f"{whole}만 유로", f"{whole}0,000 euros" if "," not in whole else f"EUR {whole}"),
                (f"{n}백만 달러", f"{n} million dollars"), (f"{whole}천만 원", f"KRW {whole}0 million"), (f"{whole},000천원", f"{whole},000 thousand won")][kind]

    def period(self):
        y = self.rng.randrange(2008, 2028)
        z, m, k = y + self.rng.randrange(1, 6), self.rng.randrange(12), self.rng.randrange(12)
        if self.rng.random() < 0.5:
            return f"{y}년부터 {z}년까지", f"from {y} to {z}"
        return f"{y}년 {m + 1}월부터 {z}년 {k + 1}월까지", f"from {MONTHS[m]} {y} to {MONTHS[k]} {z}"

    def date(self):
        y, m, d = self.rng.randrange(2008, 2029), self.rng.randrange(12), self.rng.randrange(1, 29)
        return f"{y}년 {m + 1}월 {d}일", f"{d} {MONTHS[m]} {y}"

    def place(self):
        ko, en = self.name()
        suffix = self.rng.choice((("시", ""), ("군", " County"), (" 항만", " harbour"), (" 산업단지", " industrial park"), ("도", " Island"), (" 캠퍼스", " campus")))
        return ko + suffix[0], en + suffix[1]

    def people(self):
        n = self.number(3, 400).split(".")[0]
        return self.rng.choice(((f"연구원 {n}명", f"{n} researchers"), (f"{n}명", f"{n} people"), (f"기술자 {n}명", f"{n} engineers")))

    def fee(self):
        n = self.number(5, 900).split(".")[0]
        return self.rng.choice(((f"하루 {n}만원", f"{n}0,000 won a day"), (f"시간당 {n}유로", f"{n} euros an hour"), (f"연 {n}백만원", f"{n} million won a year"), (f"건당 {n}달러", f"{n} dollars a case")))

    def equipment(self):
        ko, en = self.rng.choice(EQUIPMENT)
        return f"{self.code()} {ko}", f"the {self.code_()} {en}"

    def code(self):
        letters = "".join(self.rng.choice("ABCDEFGHKLMNPRSTVXZ") for _ in range(self.rng.choice((1, 2, 2, 3))))
        self.last = letters + self.rng.choice(("-", "", "-")) + str(self.rng.randrange(1, 990))
        return self.last

    def code_(self):
        return self.last

    # What follows returns a dictionary of slots: the value `v`, and `x`, `b` where the phrasings want them.

    def value(self, kind, x=None):
        """Slots of a value; with `x` a value of that, so that two projects are measured alike."""
        make = getattr(self, "slots_" + kind, None)
        made = make() if make else {"v": getattr(self, kind)()}
        for _ in range(300):
            if x is None or made["x"] == x:
                return made
            made = make()
        return made | {"x": x}

    def slots_code(self):
        code = self.code()
        return {"v": (code, code), "x": self.rng.choice(MEASURES)[:2]}

    def slots_measure(self):
        ko, en, unit = self.rng.choice(MEASURES)
        v, b = (f"{self.number()} {unit}" if unit != "%" else f"{self.number(1, 100)} %" for _ in range(2))
        return {"v": (v, v), "b": (b, b), "x": (ko, en)}

    def slots_condition(self):
        def one():
            t, unit, n = self.number(20, 1800).split(".")[0], self.rng.choice((("분", "minutes"), ("시간", "hours"), ("초", "seconds"))), self.rng.randrange(2, 90)
            p = f"{self.number(1, 500)} MPa" if self.rng.random() < 0.3 else ""
            return ", ".join(x for x in (f"{t} °C", p, f"{n}{unit[0]}") if x), ", ".join(x for x in (f"{t} °C", p, f"{n} {unit[1]}") if x)
        return {"v": one(), "b": one(), "x": self.rng.choice(PROCESSES)}

    def slots_count(self):
        ko, en, unit = self.rng.choice(COUNTED)
        n = self.number(3, 5000).split(".")[0]
        return {"v": (n + unit, n), "x": (ko, en)}

    def slots_share(self):
        unit = self.rng.choice(("wt%", "%", "vol%", "ppm", "g", "mg/L"))
        v, b = (f"{self.number(1, 99)} {unit}" for _ in range(2))
        return {"v": (v, v), "b": (b, b), "x": self.term()}

    def _about(self, choices):
        (ko, en), t = self.rng.choice(choices), self.term()
        return f"{t[0]} {ko}" if not ko.endswith("것") else f"{t[0]}의 {ko}", en.replace("{t}", t[1])

    def slots_cause(self):
        return {"v": self._about(FLAWS), "x": self.rng.choice(MEASURES)[:2]}

    def slots_aim(self):
        return {"v": self._about(WANTS)}

    def slots_result(self):
        return {"v": self._about(GAINS)}
