"""How are texts made comparable without moving a single character, so that a match can be quoted from the original?"""

import re

_TRADITIONAL = (
    "請请問问訂订單单電电話话賬账號号碼码費费這这個个麼么嗎吗來来時时間间點点開开關关網网頁页貨货運运單单錢钱買买賣卖壞坏換换還还"
    "維维師师門门機机沒没無无為为務务發发會会員员級级積积優优惠惠劃划總总產产業业質质適适應应對对錯错誤误係系統统"
    "聯联絡络與与裏里裡里後后從从進进過过遲迟遠远達达處处幫帮謝谢說说話话讓让該该認认證证識识讀读調调護护賠赔償偿"
    "報报價价額额歲岁損损毀毁傷伤醫医院院藥药燒烧煙烟氣气體体電电腦脑視视頻频聲声響响顯显現现螢荧飯饭燈灯鍋锅"
    "線线紙纸給给絕绝結结經经繼继續续緊紧急急廣广慮虑態态憤愤憂忧懷怀擾扰擔担據据擇择擊击擠挤攝摄數数斷断"
    "極极樣样標标檢检權权歡欢殺杀決决減减測测滿满滅灭潔洁濕湿瀏浏熱热牽牵狀状獨独獲获異异當当癢痒瘋疯"
    "盜盗盡尽監监盤盘眾众確确禮礼種种稱称穩稳簡简籤签糾纠級级納纳組组細细終终絡络綠绿編编縮缩纖纤罰罚義义"
    "習习職职聽听膚肤臉脸舊旧舉举華华萬万藍蓝蘋苹補补裝装複复覺觉觀观觸触詢询試试詐诈詳详誰谁課课談谈論论諮咨"
    "貓猫財财貼贴貸贷資资賓宾賴赖購购賽赛贈赠贏赢趕赶跡迹踏踏輕轻載载輪轮輸输轉转辦办農农連连週周遞递選选"
    "郵邮鄰邻醬酱針针釣钓銀银銷销鋪铺錄录鍵键鎖锁鏡镜鐘钟鑰钥長长閃闪閉闭閱阅陽阳隊队階阶際际險险隨随雙双離离難难"
    "雲云靈灵靜静頁页項项順顺須须頭头題题額额願愿顧顾飛飞餘余館馆驗验驚惊鬆松魚鱼鮮鲜麗丽麻麻黃黄齊齐"
)
_SIMPLIFIED = {ord(old): new for old, new in zip(_TRADITIONAL[::2], _TRADITIONAL[1::2], strict=True) if old != new}
_WIDE = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_SPACES = dict.fromkeys(map(ord, "\u3000\u00a0\t\r\v\f"), " ")
_QUOTES = {0x2019: "'", 0x2018: "'", 0x201C: '"', 0x201D: '"', 0x300C: '"', 0x300D: '"'}
_UPPER = {code: chr(code + 32) for code in range(ord("A"), ord("Z") + 1)}
_TABLE = {**_SIMPLIFIED, **_SPACES, **_QUOTES, **_UPPER}
_TABLE.update({code: _UPPER.get(ord(plain), plain) for code, plain in _WIDE.items()})
_UNSAFE = re.compile("[\x00\ud800-\udfff]")


def comparable(text: str) -> str:
    """Return the text in small letters, simplified characters and half-width signs; position by position the same."""
    return text.translate(_TABLE)


def storable(text: str) -> str:
    """Return the text without what PostgreSQL and JSON cannot hold: NUL and lone surrogates become U+FFFD."""
    return _UNSAFE.sub("\ufffd", text)
